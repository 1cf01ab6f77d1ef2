/**
 * Takes accepted records into a durable outbox: sealed in the order of acceptance, many in one commit.
 *
 * `record` waits until its record is safe, so whoever records much at once waits for one commit and not for many. Sealing
 * happens here and not at sending, because others may deliver; the chain of commitments therefore begins anew with each
 * start, and whenever the store failed: a commitment that was made and never stored must not look like one that was removed.
 */
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import * as Producer from "../decision/Sealer.ts"
import type * as RecordStore from "../outbox/RecordStore.ts"
import type { Settings } from "../settings/XaseConfig.ts"
import {
  type IdempotencyConflict,
  OutboxUnavailable,
  QueueClosed,
  QueueFull,
  type SigningFailed
} from "../XaseError.ts"
import type { Accounts } from "./Settlement.ts"

/** Why a record was not stored. */
export type IntakeError = IdempotencyConflict | QueueFull | QueueClosed | OutboxUnavailable | SigningFailed

/** What is to be said of a record that stands for nothing new: it is under way already, or its key for another decision. */
export type Standing = Exit.Exit<void, IdempotencyConflict>

/** See the module. */
export interface Intake {
  /** Stores a record; it is accepted, and safe, when this succeeds. */
  readonly store: (record: LedgerRecord) => Effect.Effect<void, IntakeError>
  /** Enters a record that was taken from the store into the books: as this client's own, or as one of others. */
  readonly claim: (entry: RecordStore.Stored) => void
  /** Stores what is waiting to be stored, for so long at most; what is left then is refused. */
  readonly close: (patience: Duration.Duration) => Effect.Effect<void>
}

interface Waiting {
  readonly record: LedgerRecord
  readonly answer: Deferred.Deferred<void, IntakeError>
  /** Whether it is accepted, unless the store refuses it. */
  isEntered: boolean
  /** Whether the caller has its answer; what the signer or the store says later changes nothing. */
  isAnswered: boolean
}

/** A record that is being stored. */
interface Storing {
  readonly item: Waiting
  /** Whether it was taken from the store meanwhile, and so is in it. */
  isTaken: boolean
  /** The very same decision, recorded again at the same time: it is safe when this one is. */
  readonly twins: Array<Waiting>
}

/** How many records share a commit. */
const batchSize = 256

/** Whoever waits for a record to be stored waits for three more attempts of the signer. */
const signingRetries = Schedule.exponential("100 millis", 3).pipe(Schedule.upTo({ times: 3 }))

/** How many keys of records with an unknown fate are remembered. */
const maxUncertain = 10_000

/** An intake into `store`; `standingOf` answers for records that are not new. */
export const make = Effect.fnUntraced(function* (
  store: RecordStore.Service,
  accounts: Accounts,
  standingOf: (record: LedgerRecord) => Standing | undefined,
  now: () => number,
  config: Pick<Settings, "commitments" | "signer" | "queueMaxSize" | "queuePolicy">,
  isLeftToOthers: boolean
): Effect.fn.Return<Intake> {
  const owner: string = globalThis.crypto.randomUUID()
  const waiting = yield* Queue.unbounded<Waiting, never>()
  const idle = new Set<Deferred.Deferred<void>>()
  /** By idempotency key. */
  const storing = new Map<string, Storing>()
  /** Keys of records that were refused though they may be in the store: who takes them does not take an own record. */
  const uncertain = new Set<string>()
  const room = yield* Semaphore.make(config.queueMaxSize)
  const unanswered = new Set<Waiting>()
  let isClosed = false

  const startChain = () => {
    const producer = config.commitments ? Producer.make(Producer.fresh(), config.signer) : Producer.silent
    let sequence = 0
    return (record: LedgerRecord): Effect.Effect<void, SigningFailed> => {
      const signing = producer.seal(record, ++sequence)
      return signing === undefined ? Effect.void : Effect.retry(signing, signingRetries)
    }
  }
  let seal = startChain()

  const answered = (item: Waiting, exit: Exit.Exit<void, IntakeError>): void => {
    if (item.isAnswered) return
    item.isAnswered = true
    unanswered.delete(item)
    Deferred.doneUnsafe(item.answer, exit)
    if (unanswered.size > 0) return
    for (const waiter of idle) Deferred.doneUnsafe(waiter, Exit.void)
    idle.clear()
  }

  /** Enters and seals a record, or answers why not. */
  const prepare = (item: Waiting): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      const standing = standingOf(item.record)
      const twin = storing.get(item.record.idempotencyKey)
      if (standing !== undefined && Exit.isSuccess(standing) && twin !== undefined) {
        twin.twins.push(item)
        return Effect.succeed(false)
      }
      if (standing !== undefined) {
        answered(item, standing)
        return Effect.succeed(false)
      }
      accounts.enter(item.record)
      item.isEntered = true
      return Effect.matchEffect(seal(item.record), {
        onSuccess: () => Effect.succeed(!item.isAnswered),
        onFailure: (error) =>
          Effect.sync(() => {
            seal = startChain()
            refused(item, error)
            return false
          })
      })
    })

  /** The record, and with it its twins, is stored or not. */
  const settled = (item: Waiting, exit: Exit.Exit<void, IntakeError>): void => {
    const { idempotencyKey } = item.record
    const { twins } = storing.get(idempotencyKey) ?? { twins: [] }
    storing.delete(idempotencyKey)
    for (const each of [item, ...twins]) answered(each, exit)
  }

  const accepted = (item: Waiting): void => {
    if (item.isAnswered) return
    const isTaken = storing.get(item.record.idempotencyKey)?.isTaken === true
    if (!isTaken) accounts.keep(item.record)
    if (isLeftToOthers) accounts.handOver(item.record)
    settled(item, Exit.void)
  }

  const refused = (item: Waiting, error: OutboxUnavailable | SigningFailed): void => {
    if (item.isAnswered) return
    const { idempotencyKey } = item.record
    // It was taken from the store meanwhile: it is safe, only the answer got lost.
    if (storing.get(idempotencyKey)?.isTaken === true) return accepted(item)
    if (error._tag === "OutboxUnavailable" && error.stored === "perhaps" && uncertain.size < maxUncertain)
      uncertain.add(idempotencyKey)
    accounts.withdraw(item.record)
    settled(item, Exit.fail(error))
  }

  const storeBatch = Effect.fnUntraced(function* (batch: ReadonlyArray<Waiting>) {
    const items = new Map<RecordStore.Stored, Waiting>()
    for (const item of batch) {
      if (!(yield* prepare(item))) continue
      storing.set(item.record.idempotencyKey, { item, isTaken: false, twins: [] })
      items.set({ record: item.record, acceptedAt: now(), owner }, item)
    }
    if (items.size === 0) return
    const told = (entry: RecordStore.Stored): void => {
      const item = items.get(entry)
      if (item === undefined) return
      items.delete(entry)
      accepted(item)
    }
    const exit = yield* Effect.exit(store.store([...items.keys()], told))
    if (Exit.isSuccess(exit)) return
    seal = startChain()
    yield* Effect.catch(exit, (error) =>
      Effect.sync(() => {
        for (const item of items.values()) refused(item, error)
      })
    )
  })

  // Detached: a store that does not answer must not hold up the end.
  const loop = yield* Queue.takeBetween(waiting, 1, batchSize).pipe(
    Effect.flatMap((batch) => Effect.uninterruptible(storeBatch(batch))),
    Effect.forever({ disableYield: true }),
    Effect.forkDetach
  )

  const untilIdle = Effect.suspend(() => {
    if (unanswered.size === 0) return Effect.void
    const waiter = Deferred.makeUnsafe<void>()
    idle.add(waiter)
    return Deferred.await(waiter)
  })

  /** By the policy `drop-oldest`, the record that waits longest makes room. */
  const evictOldest = (): boolean => {
    if (config.queuePolicy !== "drop-oldest") return false
    const oldest = Queue.takeUnsafe(waiting)
    if (oldest === undefined || !Exit.isSuccess(oldest)) return false
    answered(oldest.value, Exit.fail(new QueueFull({ dropped: true })))
    return true
  }

  const storeNow = (record: LedgerRecord): Effect.Effect<void, IntakeError> =>
    Effect.suspend(() => {
      if (isClosed) return Effect.fail(new QueueClosed({ started: false }))
      if (unanswered.size >= config.queueMaxSize && !evictOldest())
        return Effect.fail(new QueueFull({ dropped: false }))
      const item = { record, answer: Deferred.makeUnsafe<void, IntakeError>(), isEntered: false, isAnswered: false }
      unanswered.add(item)
      Queue.offerUnsafe(waiting, item)
      return Deferred.await(item.answer)
    })

  return {
    store: (record) => (config.queuePolicy === "backpressure" ? room.withPermit(storeNow(record)) : storeNow(record)),
    claim: ({ owner: acceptedBy, record }) => {
      const { idempotencyKey } = record
      const isOwn = acceptedBy === owner && !uncertain.delete(idempotencyKey)
      const own = isOwn ? storing.get(idempotencyKey) : undefined
      if (own !== undefined && !own.isTaken) {
        own.isTaken = true
        accounts.keep(own.item.record)
      }
      if (!isOwn || !accounts.claim(record)) accounts.adopt(record)
    },
    close: Effect.fnUntraced(function* (patience) {
      yield* Effect.ignore(Effect.interruptible(Effect.timeout(untilIdle, patience)))
      isClosed = true
      yield* Queue.clear(waiting)
      // The signer or the store has not answered for these and may never: their callers get an answer now.
      for (const item of [...unanswered]) {
        const isStoring = storing.has(item.record.idempotencyKey)
        if (item.isEntered) refused(item, notAnswered(store.kind, isStoring ? "perhaps" : "no"))
        else answered(item, Exit.fail(new QueueClosed({ started: false })))
      }
      yield* Effect.forkDetach(Fiber.interrupt(loop))
    })
  }
})

const notAnswered = (outbox: string, stored: "no" | "perhaps"): OutboxUnavailable =>
  new OutboxUnavailable({
    outbox,
    problem: "the record was not stored when the client was closed",
    fix: "Find out what holds up the store or the signer.",
    stored
  })
