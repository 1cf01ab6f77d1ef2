/**
 * Takes accepted records into a durable outbox: sealed in the order of acceptance, many in one commit.
 *
 * `record` waits until its record is safe, so whoever records much at once waits for one commit and not for many. Sealing
 * happens here and not at sending, because others may deliver; the chain of commitments therefore begins anew with each
 * start, and whenever the store failed: a commitment that was made and never stored must not look like one that was removed.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Accounts } from "./Accounts.ts"
import type { LedgerRecord } from "./LedgerRecord.ts"
import * as Producer from "./Producer.ts"
import type * as RecordStore from "./RecordStore.ts"
import type { Settings } from "./XaseConfig.ts"
import { type IdempotencyConflict, type OutboxUnavailable, QueueFull, type SigningFailed } from "./XaseError.ts"

/** Why a record was not stored. */
export type IntakeError = IdempotencyConflict | QueueFull | OutboxUnavailable | SigningFailed

/** What is to be said of a record that stands for nothing new: it is under way already, or its key for another decision. */
export type Standing = Effect.Effect<void, IdempotencyConflict>

/** See the module. */
export interface Intake {
  /** Stores a record; it is accepted, and safe, when this succeeds. */
  readonly store: (record: LedgerRecord) => Effect.Effect<void, IntakeError>
  /** Enters a record that was taken from the store into the books: as this client's own, or as one of others. */
  readonly claim: (entry: RecordStore.Stored) => void
  /** Stores what is being stored, then takes no more. */
  readonly close: Effect.Effect<void>
}

interface Waiting {
  readonly record: LedgerRecord
  readonly answer: Deferred.Deferred<void, IntakeError>
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
): Effect.fn.Return<Intake, never, Scope.Scope> {
  const owner: string = globalThis.crypto.randomUUID()
  const waiting = yield* Queue.unbounded<Waiting, never>()
  const idle = new Set<Deferred.Deferred<void>>()
  /** Records that are being stored; `true` once they were taken from the store, and so are in it. */
  const storing = new Map<string, boolean>()
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

  const withdraw = (item: Waiting, error: IntakeError): void => {
    accounts.withdraw(item.record)
    answered(item, Exit.fail(error))
  }

  /** Enters and seals a record, or answers why not. */
  const prepare = (item: Waiting): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      const standing = standingOf(item.record)
      if (standing !== undefined) {
        return Effect.as(
          Effect.map(Effect.exit(standing), (exit) => answered(item, exit)),
          false
        )
      }
      accounts.enter(item.record)
      return Effect.matchEffect(seal(item.record), {
        onSuccess: () => Effect.succeed(true),
        onFailure: (error) =>
          Effect.sync(() => {
            seal = startChain()
            withdraw(item, error)
            return false
          })
      })
    })

  const accepted = (item: Waiting): void => {
    storing.delete(item.record.idempotencyKey)
    if (isLeftToOthers) accounts.leave(item.record)
    answered(item, Exit.void)
  }

  const refused = (item: Waiting, error: OutboxUnavailable): void => {
    const { idempotencyKey } = item.record
    // It was taken from the store meanwhile: it is safe, only the answer got lost.
    if (storing.get(idempotencyKey) === true) return accepted(item)
    storing.delete(idempotencyKey)
    if (error.stored === "perhaps" && uncertain.size < maxUncertain) uncertain.add(idempotencyKey)
    withdraw(item, error)
  }

  const storeBatch = Effect.fnUntraced(function* (batch: ReadonlyArray<Waiting>) {
    const items = new Map<RecordStore.Stored, Waiting>()
    for (const item of batch) {
      if (!(yield* prepare(item))) continue
      storing.set(item.record.idempotencyKey, false)
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

  yield* Queue.takeBetween(waiting, 1, batchSize).pipe(
    Effect.flatMap((batch) => Effect.uninterruptible(storeBatch(batch))),
    Effect.forever({ disableYield: true }),
    Effect.forkScoped
  )

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
      if (storing.has(idempotencyKey)) storing.set(idempotencyKey, true)
    },
    close: Effect.suspend(() => {
      if (underWay === 0) return Effect.void
      const waiter = Deferred.makeUnsafe<void>()
      idle.add(waiter)
      return Deferred.await(waiter)
    })
  }
})
