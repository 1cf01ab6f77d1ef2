/**
 * The books of delivery: every accepted record is entered once and settled once.
 *
 * At every moment `accepted + adopted = delivered + failed + dropped + stored + unsettled`. With a durable outbox a client
 * also delivers what others accepted (`adopted`), and leaves to others what it accepted (`stored`). Whoever wants to know how records settled (a flush,
 * subscribers, an observer, metrics) is told from here and nowhere else.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import type { OutboxEvents } from "../outbox/OutboxEvents.ts"
import { type DeliveryError, FlushTimeout } from "../XaseError.ts"
import * as KnownKeys from "./KnownKeys.ts"
import * as Metrics from "./Metrics.ts"
import * as Outcome from "./Outcome.ts"

/** Delivery has stopped for this reason and keeps its records: something that somebody should look at. */
export type Alert = Extract<
  DeliveryError,
  { readonly _tag: "Unauthorized" | "Forbidden" | "QuotaExceeded" | "MaxRetriesExceeded" }
>

/** Who is told of outcomes and alerts as they happen. What its functions throw is logged once and changes nothing. */
export interface Observer {
  readonly onOutcome: (outcome: Outcome.Outcome) => void
  readonly onAlert: (alert: Alert) => void
}

/** The observer of the surrounding client; by default nobody. */
export const CurrentObserver = Context.Reference<Observer>("xase-sdk/Accounts/CurrentObserver", {
  defaultValue: () => ({ onOutcome: () => {}, onAlert: () => {} })
})

/** The place of a record that another client accepted: no flush here waits for it. */
const ofOthers = Number.POSITIVE_INFINITY

/** How many outcomes a slow subscriber may be behind before it misses the oldest. */
export const outcomesCapacity = 16_384

/** The sums, without what only the outbox knows. */
export interface Counts {
  readonly accepted: number
  readonly delivered: number
  readonly failed: number
  readonly dropped: { readonly [Reason in Outcome.DropReason]: number }
  /** Records of a durable outbox that this client delivers though it did not accept them. */
  readonly adopted: number
  /** Records that this client accepted and that others deliver, or have delivered, from the durable outbox. */
  readonly stored: number
}

/** Follows every accepted record to its one outcome; `stats`, `flush` and `outcomes` read from it. */
export interface Accounts extends OutboxEvents {
  /** How a record with an application-chosen key stands to those before it. */
  readonly standingOf: (record: LedgerRecord) => KnownKeys.Standing
  /** Undoes `claim` or `adopt`: the record went back to the durable outbox. */
  readonly release: (record: LedgerRecord) => void
  /** Hands over all kept records up to a place. Records in flight and records in memory stay this client's own. */
  readonly handOverUpTo: (sequence: number) => void
  /** Waits for the outcome of the record that is under way with the same key; `undefined` when it is handed over. */
  readonly join: (record: LedgerRecord) => Effect.Effect<Outcome.Outcome | undefined>
  readonly settle: (record: LedgerRecord, outcome: Outcome.Outcome) => void
  readonly unsettled: () => number
  /** The place of the record that was entered last. */
  readonly lastSequence: () => number
  readonly counts: () => Counts
  readonly alert: (alert: Alert) => void
  /** Waits until all records that were entered before have settled. */
  readonly flush: (timeout: Duration.Duration) => Effect.Effect<void, FlushTimeout>
  /** Outcomes as they happen, for whoever subscribes. */
  readonly outcomes: PubSub.PubSub<Outcome.Outcome>
}

interface Flush {
  /** Records up to this place count. */
  readonly upTo: number
  readonly done: Deferred.Deferred<void>
  remaining: number
}

/** Empty books. */
export const make: Effect.Effect<Accounts> = Effect.gen(function* () {
  const observer = yield* CurrentObserver
  const context = yield* Effect.context<never>()
  const outcomes = yield* PubSub.sliding<Outcome.Outcome>(outcomesCapacity)
  const keys = KnownKeys.make()
  const flushes = new Set<Flush>()
  const joins = new Map<string, Deferred.Deferred<Outcome.Outcome | undefined>>()
  const dropped = { QueueFull: 0, Shutdown: 0, Interrupted: 0 }
  /** Own records that wait in the durable outbox, by key; those that this client is delivering are not among them. */
  const kept = new Map<string, LedgerRecord>()
  let sequence = 0
  let accepted = 0
  let adopted = 0
  let stored = 0
  let delivered = 0
  let failed = 0
  let settledOwn = 0

  const unsettled = (): number =>
    accepted + adopted - stored - delivered - failed - dropped.QueueFull - dropped.Shutdown - dropped.Interrupted
  const unsettledOwn = (): number => accepted - stored - settledOwn

  const count = (outcome: Outcome.Outcome): void => {
    switch (outcome._tag) {
      case "Delivered":
        delivered++
        return Metrics.delivered.updateUnsafe(1, context)
      case "Failed":
        failed++
        return Metrics.failed.updateUnsafe(1, context)
      case "Dropped":
        dropped[outcome.reason]++
        return Metrics.dropped[outcome.reason].updateUnsafe(1, context)
    }
  }

  /** The flushes for which this record was the last. */
  const finishedBy = (record: LedgerRecord): ReadonlyArray<Flush> => {
    if (flushes.size === 0) return []
    const finished = [...flushes].filter((flush) => record.sequence <= flush.upTo && --flush.remaining === 0)
    for (const flush of finished) flushes.delete(flush)
    return finished
  }

  const tellFlushes = (finished: ReadonlyArray<Flush>): void => {
    for (const flush of finished) Deferred.doneUnsafe(flush.done, Exit.void)
  }

  let hasWarned = false
  const tellObserver = (tell: () => void): void => {
    try {
      tell()
    } catch {
      if (hasWarned) return
      hasWarned = true
      Effect.runForkWith(context)(Effect.logWarning("xase: a callback threw; delivery goes on, and this is said once"))
    }
  }

  const tellJoined = ({ idempotencyKey }: LedgerRecord, outcome: Outcome.Outcome | undefined): void => {
    // Looking a fresh key up means hashing it, and hardly ever does anybody wait.
    if (joins.size === 0) return
    const join = joins.get(idempotencyKey)
    if (join === undefined) return
    joins.delete(idempotencyKey)
    Deferred.doneUnsafe(join, Exit.succeed(outcome))
  }

  const handOver = (record: LedgerRecord): void => {
    kept.delete(record.idempotencyKey)
    stored++
    keys.settled(record)
    tellJoined(record, undefined)
    tellFlushes(finishedBy(record))
  }

  return {
    standingOf: keys.standingOf,
    enter: (record) => {
      record.sequence = ++sequence
      accepted++
      keys.accepted(record)
      Metrics.accepted.updateUnsafe(1, context)
    },
    withdraw: (record) => {
      accepted--
      keys.forgotten(record)
      tellFlushes(finishedBy(record))
    },
    keep: (record) => void kept.set(record.idempotencyKey, record),
    claim: (record) => {
      const own = kept.get(record.idempotencyKey)
      if (own === undefined) return false
      kept.delete(record.idempotencyKey)
      record.sequence = own.sequence
      return true
    },
    adopt: (record) => {
      record.sequence = ofOthers
      adopted++
    },
    release: (record) => {
      if (record.sequence === ofOthers) adopted--
      else kept.set(record.idempotencyKey, record)
    },
    handOver,
    handOverUpTo: (upTo) => {
      for (const record of [...kept.values()]) if (record.sequence <= upTo) handOver(record)
    },
    settle: (record, outcome) => {
      count(outcome)
      if (record.sequence !== ofOthers) settledOwn++
      if (Outcome.mayBeRecorded(outcome)) keys.settled(record)
      else keys.forgotten(record)
      const finished = finishedBy(record)
      PubSub.publishUnsafe(outcomes, outcome)
      // The books are in order by now, because an observer may record, flush or close from here.
      tellObserver(() => observer.onOutcome(outcome))
      tellJoined(record, outcome)
      tellFlushes(finished)
    },
    join: ({ idempotencyKey }) =>
      Effect.suspend(() => {
        const join = joins.get(idempotencyKey) ?? Deferred.makeUnsafe<Outcome.Outcome | undefined>()
        joins.set(idempotencyKey, join)
        return Deferred.await(join)
      }),
    unsettled,
    lastSequence: () => sequence,
    alert: (alert) => tellObserver(() => observer.onAlert(alert)),
    counts: () => ({ accepted, delivered, failed, dropped: { ...dropped }, adopted, stored }),
    flush: (timeout) =>
      Effect.suspend(() => {
        if (unsettledOwn() === 0) return Effect.void
        const flush: Flush = { upTo: sequence, done: Deferred.makeUnsafe(), remaining: unsettledOwn() }
        flushes.add(flush)
        return Deferred.await(flush.done).pipe(
          Effect.timeoutOrElse({
            duration: timeout,
            orElse: () => Effect.fail(new FlushTimeout({ remaining: flush.remaining, timeout }))
          }),
          Effect.ensuring(Effect.sync(() => flushes.delete(flush)))
        )
      }),
    outcomes
  }
})
