/**
 * Writes accepted records into a durable outbox: sealed in the order of acceptance, many in one commit.
 *
 * `record` waits until its record is safe, so callers who record at the same time share a commit. Sealing happens here and
 * not at sending, because other clients may deliver. The chain of commitments therefore begins anew with each start, and
 * whenever the store failed: a commitment that was made and never stored must not look like one that was removed.
 */
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import * as Producer from "../decision/Sealer.ts"
import type { Settings } from "../settings/XaseConfig.ts"
import {
  type IdempotencyConflict,
  OutboxUnavailable,
  QueueClosed,
  QueueFull,
  type SigningFailed
} from "../XaseError.ts"
import type { OutboxEvents } from "./OutboxEvents.ts"
import type * as RecordStore from "./RecordStore.ts"

/** Why a record was not stored. */
export type WriteError = IdempotencyConflict | QueueFull | QueueClosed | OutboxUnavailable | SigningFailed

/** What is to be said of a record that stands for nothing new: it is under way already, or its key for another decision. */
export type Standing = Exit.Exit<void, IdempotencyConflict>

/** Stores records, and recognises its own when they are taken from the store again. */
export interface BatchWriter {
  /** Stores a record; it is accepted, and safe, when this succeeds. */
  readonly store: (record: LedgerRecord) => Effect.Effect<void, WriteError>
  /** Enters a record that was taken from the store: as this client's own, or as one of another client. */
  readonly claim: (entry: RecordStore.Stored) => void
  /** Stores what is waiting to be stored, for so long at most; what is left then is refused. */
  readonly close: (patience: Duration.Duration) => Effect.Effect<void>
}

interface Waiting {
  readonly record: LedgerRecord
  readonly answer: Deferred.Deferred<void, WriteError>
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

/** A caller of `record` waits for three more attempts of the signer. */
const signingRetries = Schedule.exponential("100 millis", 3).pipe(Schedule.upTo({ times: 3 }))

/** How many keys of records with an unknown fate are remembered. */
const maxUncertain = 10_000

/** What a writer depends on. */
export interface Parts {
  readonly store: RecordStore.Service
  readonly events: OutboxEvents
  /** The answer for a record that is not new; `undefined` for a new one. */
  readonly standingOf: (record: LedgerRecord) => Standing | undefined
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly config: Pick<Settings, "commitments" | "signer" | "queueMaxSize" | "queuePolicy">
  /** Whether other clients deliver all records of the store. */
  readonly isLeftToOthers: boolean
}

/** Seals records into one chain, or into a new one after `restart`. */
const chainsOf = ({ commitments, signer }: Parts["config"]) => {
  const begin = () => {
    const producer = commitments ? Producer.make(Producer.fresh(), signer) : Producer.silent
    let sequence = 0
    return (record: LedgerRecord): Effect.Effect<void, SigningFailed> => {
      const signing = producer.seal(record, ++sequence)
      return signing === undefined ? Effect.void : Effect.retry(signing, signingRetries)
    }
  }
  let current = begin()
  return {
    seal: (record: LedgerRecord) => current(record),
    restart: () => {
      current = begin()
    }
  }
}

/** Callers without an answer, and those who wait until there are none. */
const makeAnswers = () => {
  const unanswered = new Set<Waiting>()
  const idle = Latch.makeUnsafe(true)
  return {
    unanswered,
    untilIdle: idle.await,
    /** Registers a caller. */
    expect: (record: LedgerRecord): Waiting => {
      const item: Waiting = { record, answer: Deferred.makeUnsafe(), isEntered: false, isAnswered: false }
      unanswered.add(item)
      idle.closeUnsafe()
      return item
    },
    give: (item: Waiting, exit: Exit.Exit<void, WriteError>): void => {
      if (item.isAnswered) return
      item.isAnswered = true
      unanswered.delete(item)
      Deferred.doneUnsafe(item.answer, exit)
      if (unanswered.size === 0) idle.openUnsafe()
    }
  }
}
type Answers = ReturnType<typeof makeAnswers>

/** What becomes of records that are being stored: accepted, refused, or taken from the store before its answer came. */
const makeFates = ({ isLeftToOthers, events }: Parts, answers: Answers) => {
  /** By idempotency key. */
  const storing = new Map<string, Storing>()
  /** Keys of records that were refused though the store may have them: taken from it, they are not this client's own. */
  const uncertain = new Set<string>()

  /** The record, and with it its twins, is stored or not. */
  const settled = (item: Waiting, exit: Exit.Exit<void, WriteError>): void => {
    const { twins } = storing.get(item.record.idempotencyKey) ?? { twins: [] }
    storing.delete(item.record.idempotencyKey)
    for (const each of [item, ...twins]) answers.give(each, exit)
  }

  const accepted = (item: Waiting): void => {
    if (item.isAnswered) return
    const isTaken = storing.get(item.record.idempotencyKey)?.isTaken === true
    if (!isTaken) events.keep(item.record)
    if (isLeftToOthers) events.handOver(item.record)
    settled(item, Exit.void)
  }

  return {
    storing,
    accepted,
    refused: (item: Waiting, error: OutboxUnavailable | SigningFailed): void => {
      if (item.isAnswered) return
      const { idempotencyKey } = item.record
      // It was taken from the store meanwhile: it is safe, only the answer got lost.
      if (storing.get(idempotencyKey)?.isTaken === true) return accepted(item)
      const isUncertain = error._tag === "OutboxUnavailable" && error.stored === "perhaps"
      if (isUncertain && uncertain.size < maxUncertain) uncertain.add(idempotencyKey)
      events.withdraw(item.record)
      settled(item, Exit.fail(error))
    },
    /** Whether a record that was taken from the store is this client's own, and waited there. */
    claimOwn: (record: LedgerRecord): boolean => {
      if (uncertain.delete(record.idempotencyKey)) return false
      const own = storing.get(record.idempotencyKey)
      if (own !== undefined && !own.isTaken) {
        own.isTaken = true
        events.keep(own.item.record)
      }
      return events.claim(record)
    }
  }
}

/** Answers every caller whom neither signer nor store has answered by the time of closing. */
const answerTheRest = (kind: string, answers: Answers, fates: ReturnType<typeof makeFates>): void => {
  for (const item of [...answers.unanswered]) {
    const isStoring = fates.storing.has(item.record.idempotencyKey)
    if (item.isEntered) fates.refused(item, notAnswered(kind, isStoring ? "perhaps" : "no"))
    else answers.give(item, Exit.fail(new QueueClosed({ started: false })))
  }
}

/** Enters and seals a record; `false` when it is answered already and must not be stored. */
const preparing =
  (
    { events, standingOf }: Parts,
    chains: ReturnType<typeof chainsOf>,
    answers: Answers,
    fates: ReturnType<typeof makeFates>
  ) =>
  (item: Waiting): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      const standing = standingOf(item.record)
      const twin = fates.storing.get(item.record.idempotencyKey)
      if (standing !== undefined && Exit.isSuccess(standing) && twin !== undefined) {
        twin.twins.push(item)
        return Effect.succeed(false)
      }
      if (standing !== undefined) {
        answers.give(item, standing)
        return Effect.succeed(false)
      }
      events.enter(item.record)
      item.isEntered = true
      return Effect.matchEffect(chains.seal(item.record), {
        onSuccess: () => Effect.succeed(!item.isAnswered),
        onFailure: (error) =>
          Effect.sync(() => {
            chains.restart()
            fates.refused(item, error)
            return false
          })
      })
    })

/** A writer into a store, with its fiber. */
export const make = Effect.fnUntraced(function* (parts: Parts): Effect.fn.Return<BatchWriter> {
  const { config, now, events, store } = parts
  const owner: string = globalThis.crypto.randomUUID()
  const waiting = yield* Queue.unbounded<Waiting, never>()
  const room = yield* Semaphore.make(config.queueMaxSize)
  const answers = makeAnswers()
  const fates = makeFates(parts, answers)
  const chains = chainsOf(config)
  const prepare = preparing(parts, chains, answers, fates)
  let isClosed = false

  const storeBatch = Effect.fnUntraced(function* (batch: ReadonlyArray<Waiting>) {
    const items = new Map<RecordStore.Stored, Waiting>()
    for (const item of batch) {
      if (item.isAnswered || !(yield* prepare(item))) continue
      fates.storing.set(item.record.idempotencyKey, { item, isTaken: false, twins: [] })
      items.set({ record: item.record, acceptedAt: now(), owner }, item)
    }
    if (items.size === 0) return
    const onStored = (entry: RecordStore.Stored): void => {
      const item = items.get(entry)
      if (item === undefined) return
      items.delete(entry)
      fates.accepted(item)
    }
    const exit = yield* Effect.exit(store.store([...items.keys()], onStored))
    if (Exit.isSuccess(exit)) return
    chains.restart()
    yield* Effect.catch(exit, (error) =>
      Effect.sync(() => {
        for (const item of items.values()) fates.refused(item, error)
      })
    )
  })

  // Detached: a store that does not answer must not hold up the end.
  const loop = yield* Queue.takeBetween(waiting, 1, batchSize).pipe(
    Effect.flatMap((batch) => Effect.uninterruptible(storeBatch(batch))),
    Effect.forever({ disableYield: true }),
    Effect.forkDetach
  )

  /** By the policy `drop-oldest`, the record that waits longest makes room. */
  const evictOldest = (): boolean => {
    if (config.queuePolicy !== "drop-oldest") return false
    const oldest = Queue.takeUnsafe(waiting)
    if (oldest === undefined || !Exit.isSuccess(oldest)) return false
    answers.give(oldest.value, Exit.fail(new QueueFull({ dropped: true })))
    return true
  }

  const storeNow = (record: LedgerRecord): Effect.Effect<void, WriteError> =>
    Effect.suspend(() => {
      if (isClosed) return Effect.fail(new QueueClosed({ started: false }))
      if (answers.unanswered.size >= config.queueMaxSize && !evictOldest()) {
        return Effect.fail(new QueueFull({ dropped: false }))
      }
      const item = answers.expect(record)
      Queue.offerUnsafe(waiting, item)
      return Deferred.await(item.answer)
    })

  return {
    store: (record) => (config.queuePolicy === "backpressure" ? room.withPermit(storeNow(record)) : storeNow(record)),
    claim: ({ owner: acceptedBy, record }) => {
      if (acceptedBy !== owner || !fates.claimOwn(record)) events.adopt(record)
    },
    close: Effect.fnUntraced(function* (patience) {
      yield* Effect.ignore(Effect.interruptible(Effect.timeout(answers.untilIdle, patience)))
      isClosed = true
      yield* Queue.clear(waiting)
      answerTheRest(store.kind, answers, fates)
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
