/**
 * The books of delivery: every accepted record is entered once and settled once.
 *
 * At every moment `accepted = delivered + failed + dropped + unsettled`. Whoever wants to know how records settled (a flush,
 * subscribers, an observer, metrics) is told from here and nowhere else.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import * as KnownKeys from "./KnownKeys.ts"
import type { LedgerRecord } from "./LedgerRecord.ts"
import * as Metrics from "./Metrics.ts"
import * as Outcome from "./Outcome.ts"
import { type DeliveryError, FlushTimeout } from "./XaseError.ts"

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

/** How many outcomes a slow subscriber may be behind before it misses the oldest. */
export const outcomesCapacity = 16_384

/** The sums, without what only the outbox knows. */
export interface Counts {
  readonly accepted: number
  readonly delivered: number
  readonly failed: number
  readonly dropped: { readonly [Reason in Outcome.DropReason]: number }
}

/** See the module. */
export interface Accounts {
  /** How a record with an application-chosen key stands to those before it. */
  readonly standingOf: (record: LedgerRecord) => KnownKeys.Standing
  readonly enter: (record: LedgerRecord) => void
  /** Waits for the outcome of the record that is under way with the same key. */
  readonly join: (record: LedgerRecord) => Effect.Effect<Outcome.Outcome>
  readonly settle: (record: LedgerRecord, outcome: Outcome.Outcome) => void
  readonly unsettled: () => number
  readonly counts: () => Counts
  readonly alert: (alert: Alert) => void
  /** Waits until all records that were entered before have settled. */
  readonly flush: (timeout: Duration.Duration) => Effect.Effect<void, FlushTimeout>
  readonly outcomes: Stream.Stream<Outcome.Outcome>
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
  const joins = new Map<string, Deferred.Deferred<Outcome.Outcome>>()
  const dropped = { QueueFull: 0, Shutdown: 0, Interrupted: 0 }
  let accepted = 0
  let delivered = 0
  let failed = 0

  const unsettled = (): number =>
    accepted - delivered - failed - dropped.QueueFull - dropped.Shutdown - dropped.Interrupted

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

  const tellJoined = ({ idempotencyKey }: LedgerRecord, outcome: Outcome.Outcome): void => {
    // Looking a fresh key up means hashing it, and hardly ever does anybody wait.
    if (joins.size === 0) return
    const join = joins.get(idempotencyKey)
    if (join === undefined) return
    joins.delete(idempotencyKey)
    Deferred.doneUnsafe(join, Exit.succeed(outcome))
  }

  return {
    standingOf: keys.standingOf,
    enter: (record) => {
      record.sequence = ++accepted
      keys.accepted(record)
      Metrics.accepted.updateUnsafe(1, context)
    },
    settle: (record, outcome) => {
      count(outcome)
      if (Outcome.mayBeRecorded(outcome)) keys.settled(record)
      else keys.forgotten(record)
      const finished = finishedBy(record)
      PubSub.publishUnsafe(outcomes, outcome)
      // The books are in order by now, because an observer may record, flush or close from here.
      tellObserver(() => observer.onOutcome(outcome))
      tellJoined(record, outcome)
      for (const flush of finished) Deferred.doneUnsafe(flush.done, Exit.void)
    },
    join: ({ idempotencyKey }) =>
      Effect.suspend(() => {
        const join = joins.get(idempotencyKey) ?? Deferred.makeUnsafe<Outcome.Outcome>()
        joins.set(idempotencyKey, join)
        return Deferred.await(join)
      }),
    unsettled,
    alert: (alert) => tellObserver(() => observer.onAlert(alert)),
    counts: () => ({ accepted, delivered, failed, dropped: { ...dropped } }),
    flush: (timeout) =>
      Effect.suspend(() => {
        if (unsettled() === 0) return Effect.void
        const flush: Flush = { upTo: accepted, done: Deferred.makeUnsafe(), remaining: unsettled() }
        flushes.add(flush)
        return Deferred.await(flush.done).pipe(
          Effect.timeoutOrElse({
            duration: timeout,
            orElse: () => Effect.fail(new FlushTimeout({ remaining: flush.remaining, timeout }))
          }),
          Effect.ensuring(Effect.sync(() => flushes.delete(flush)))
        )
      }),
    outcomes: Stream.fromPubSub(outcomes)
  }
})
