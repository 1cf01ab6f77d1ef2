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
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import * as Producer from "../decision/Sealer.ts"
import type * as RecordStore from "../outbox/RecordStore.ts"
import type { Settings } from "../settings/XaseConfig.ts"
import {
  type IdempotencyConflict,
  type OutboxUnavailable,
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
}

/** A record that is being stored. */
interface Storing {
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
  config: Pick<Settings, "commitments" | "signer" | "queueMaxSize">,
  isLeftToOthers: boolean
): Effect.fn.Return<Intake> {
  const owner: string = globalThis.crypto.randomUUID()
  const waiting = yield* Queue.unbounded<Waiting, never>()
  const idle = new Set<Deferred.Deferred<void>>()
  /** By idempotency key. */
  const storing = new Map<string, Storing>()
  /** Keys of records that were refused though they may be in the store: who takes them does not take an own record. */
  const uncertain = new Set<string>()
  let underWay = 0

  const startChain = () => {
    const producer = config.commitments ? Producer.make(Producer.fresh(), config.signer) : Producer.silent
    let sequence = 0
    return (record: LedgerRecord): Effect.Effect<void, SigningFailed> => {
      const signing = producer.seal(record, ++sequence)
      return signing === undefined ? Effect.void : Effect.retry(signing, signingRetries)
    }
  }
  let seal = startChain()

  const answered = ({ answer }: Waiting, exit: Exit.Exit<void, IntakeError>): void => {
    underWay--
    Deferred.doneUnsafe(answer, exit)
    if (underWay > 0) return
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
      return Effect.matchEffect(seal(item.record), {
        onSuccess: () => Effect.succeed(true),
        onFailure: (error) =>
          Effect.sync(() => {
            seal = startChain()
            accounts.withdraw(item.record)
            answered(item, Exit.fail(error))
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
    if (isLeftToOthers) accounts.leave(item.record)
    settled(item, Exit.void)
  }

  const refused = (item: Waiting, error: OutboxUnavailable): void => {
    const { idempotencyKey } = item.record
    // It was taken from the store meanwhile: it is safe, only the answer got lost.
    if (storing.get(idempotencyKey)?.isTaken === true) return accepted(item)
    if (error.stored === "perhaps" && uncertain.size < maxUncertain) uncertain.add(idempotencyKey)
    accounts.withdraw(item.record)
    settled(item, Exit.fail(error))
  }

  const storeBatch = Effect.fnUntraced(function* (batch: ReadonlyArray<Waiting>) {
    const items = new Map<RecordStore.Stored, Waiting>()
    for (const item of batch) {
      if (!(yield* prepare(item))) continue
      storing.set(item.record.idempotencyKey, { isTaken: false, twins: [] })
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
    if (underWay === 0) return Effect.void
    const waiter = Deferred.makeUnsafe<void>()
    idle.add(waiter)
    return Deferred.await(waiter)
  })

  return {
    store: (record) =>
      Effect.suspend(() => {
        if (underWay >= config.queueMaxSize) return Effect.fail(new QueueFull({ dropped: false }))
        underWay++
        const answer = Deferred.makeUnsafe<void, IntakeError>()
        Queue.offerUnsafe(waiting, { record, answer })
        return Deferred.await(answer)
      }),
    claim: ({ owner: acceptedBy, record }) => {
      const { idempotencyKey } = record
      const isOwn = acceptedBy === owner && !uncertain.delete(idempotencyKey)
      if (!isOwn) return accounts.adopt(record)
      const own = storing.get(idempotencyKey)
      if (own !== undefined) own.isTaken = true
    },
    close: (patience) =>
      Effect.gen(function* () {
        yield* Effect.ignore(Effect.interruptible(Effect.timeout(untilIdle, patience)))
        const closed = Exit.fail(new QueueClosed({ started: false }))
        for (const item of yield* Queue.clear(waiting)) answered(item, closed)
        yield* Effect.forkDetach(Fiber.interrupt(loop))
      })
  }
})
