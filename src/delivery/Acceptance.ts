/**
 * Accepts records: refuses duplicates and conflicts, then puts each into the durable outbox or into memory.
 *
 * Without a durable outbox a record is accepted at once, or waits for room under `backpressure` in the order of the calls.
 * With one it is accepted when it is stored; where the settings allow it, memory stands in for a store that is away.
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import * as BatchWriter from "../outbox/BatchWriter.ts"
import type { Service as Outbox } from "../outbox/MemoryOutbox.ts"
import type { Service as RecordStore } from "../outbox/RecordStore.ts"
import type { Settings } from "../settings/XaseConfig.ts"
import { IdempotencyConflict, QueueClosed, QueueFull } from "../XaseError.ts"
import * as Metrics from "./Metrics.ts"
import * as Outcome from "./Outcome.ts"
import type { Accounts } from "./Settlement.ts"

/**
 * What became of a record that was offered without waiting. `Joined`: the very same decision is under way already, with the
 * same key. `Wait`: `accept` would wait, because the outbox is durable, or full under the policy `backpressure`.
 */
export type Acceptance = "Accepted" | "Joined" | "Wait"

/** Why a record is not accepted. */
export type AcceptError = BatchWriter.WriteError

/** Accepts records until it is closed. */
export interface Accepting {
  /** Accepts a record without waiting. */
  readonly acceptNow: (record: LedgerRecord) => Result.Result<Acceptance, AcceptError>
  /** Accepts a record: waits until it is stored, or under `backpressure` for room in the order of the calls. */
  readonly accept: (record: LedgerRecord) => Effect.Effect<void, AcceptError>
  /** The answer for a record that needs no delivery of its own; `undefined` for a new one. */
  readonly answerAtOnce: (record: LedgerRecord) => Result.Result<"Joined", AcceptError> | undefined
  /** The way into the durable outbox, if there is one. */
  readonly writer: BatchWriter.BatchWriter | undefined
  /** How many calls met the same decision under way. */
  readonly joined: () => number
  readonly isClosed: () => boolean
  /** Accepts no more from now on. */
  readonly close: () => void
}

/** What accepting depends on. */
export interface Parts {
  readonly config: Settings
  readonly outbox: Outbox
  readonly store: RecordStore | undefined
  readonly settlement: Accounts
  readonly clock: Clock.Clock
}

const accepted = Result.succeed("Accepted" as const)
const joinedAnswer = Result.succeed("Joined" as const)
const wait = Result.succeed("Wait" as const)

interface Duplicates {
  readonly answerFor: (record: LedgerRecord) => Result.Result<"Joined", IdempotencyConflict> | undefined
  readonly joined: () => number
}

/** Answers for records that are not new. */
const duplicatesOf = (settlement: Accounts): Duplicates => {
  let joined = 0
  return {
    joined: () => joined,
    answerFor: (record) => {
      switch (settlement.standingOf(record)) {
        case "new":
          return undefined
        case "conflict":
          return Result.fail(new IdempotencyConflict({ idempotencyKey: record.idempotencyKey }))
        case "under way":
          joined++
          return joinedAnswer
      }
    }
  }
}

/** Accepts into memory. */
const memoryOf = (
  { config, outbox, settlement }: Parts,
  answerAtOnce: Accepting["answerAtOnce"],
  context: Context.Context<never>,
  turn: Semaphore.Semaphore
): Pick<Accepting, "accept" | "acceptNow"> => {
  let waiting = 0

  const offer = (record: LedgerRecord): Result.Result<Acceptance, AcceptError> => {
    const answer = answerAtOnce(record)
    if (answer !== undefined) return answer
    const offered = outbox.offerNow(record)
    switch (offered._tag) {
      case "Closed":
        return Result.fail(new QueueClosed({ started: false }))
      case "Full":
        return config.queuePolicy === "backpressure" ? wait : Result.fail(new QueueFull({ dropped: false }))
      case "Accepted":
        settlement.enter(record)
        for (const evicted of offered.evicted) {
          settlement.settle(evicted, Outcome.dropped(evicted, "QueueFull", false))
        }
        Metrics.queueDepth.updateUnsafe(outbox.size().records, context)
        return accepted
    }
  }

  const offerUntilAccepted = (record: LedgerRecord): Effect.Effect<void, AcceptError> =>
    Effect.suspend(() => {
      const answer = offer(record)
      if (Result.isFailure(answer)) return Effect.fail(answer.failure)
      return answer.success === "Wait" ? Effect.andThen(outbox.room, offerUntilAccepted(record)) : Effect.void
    })

  // Callers that wait for room are served in order.
  const acceptNow: Accepting["acceptNow"] = (record) => (waiting > 0 ? wait : offer(record))

  return {
    acceptNow,
    accept: (record) =>
      Effect.suspend(() => {
        const answer = acceptNow(record)
        if (Result.isFailure(answer)) return Effect.fail(answer.failure)
        if (answer.success !== "Wait") return Effect.void
        waiting++
        return turn.withPermit(offerUntilAccepted(record)).pipe(Effect.ensuring(Effect.sync(() => waiting--)))
      })
  }
}

/** Accepts by the settings, into the durable outbox or into memory. */
export const make = Effect.fnUntraced(function* (parts: Parts): Effect.fn.Return<Accepting> {
  const { clock, config, settlement, store } = parts
  const duplicates = duplicatesOf(settlement)
  let isClosed = false
  const answerAtOnce: Accepting["answerAtOnce"] = (record) =>
    isClosed ? Result.fail(new QueueClosed({ started: false })) : duplicates.answerFor(record)
  const memory = memoryOf(parts, answerAtOnce, yield* Effect.context<never>(), yield* Semaphore.make(1))
  const common = {
    answerAtOnce,
    joined: duplicates.joined,
    isClosed: () => isClosed,
    close: () => {
      isClosed = true
    }
  }
  if (store === undefined || config.outbox.kind === "memory") return { ...memory, ...common, writer: undefined }

  const { deliver, onUnavailable } = config.outbox
  const writer = yield* BatchWriter.make({
    store,
    events: settlement,
    standingOf: (record) => {
      const answer = duplicates.answerFor(record)
      if (answer === undefined) return undefined
      return Result.isFailure(answer) ? Exit.fail(answer.failure) : Exit.void
    },
    now: () => clock.currentTimeMillisUnsafe(),
    config,
    isLeftToOthers: !deliver
  })
  return {
    ...common,
    writer,
    acceptNow: () => wait,
    accept: (record) =>
      Effect.suspend((): Effect.Effect<void, AcceptError> => {
        if (isClosed) return Effect.fail(new QueueClosed({ started: false }))
        return onUnavailable === "memory"
          ? Effect.catchTag(writer.store(record), "OutboxUnavailable", () => memory.accept(record))
          : writer.store(record)
      })
  }
})
