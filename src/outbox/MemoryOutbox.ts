/**
 * The bounded queue of accepted records that wait to be delivered.
 *
 * It owns room: how many records and bytes wait, what happens when there is no more room, and that what was taken in first
 * goes out first. It knows nothing of the network and settles nothing: evicted and left-over records are handed to its
 * owner, `Delivery`.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import { XaseConfig } from "../settings/XaseConfig.ts"

/** What became of an offered record. `evicted` had to leave for it (`drop-oldest`), oldest first. */
export type Offer =
  | { readonly _tag: "Accepted"; readonly evicted: ReadonlyArray<LedgerRecord> }
  | { readonly _tag: "Full" }
  | { readonly _tag: "Closed" }

/** A bounded queue of accepted records in the memory of the process. */
export interface Service {
  /** Takes a record in if there is room now, by the queue policy; `Full` under `backpressure` means: wait. */
  readonly offerNow: (record: LedgerRecord) => Offer
  /** Waits until something leaves the outbox or it is closed. */
  readonly room: Effect.Effect<void>
  /**
   * The oldest record, waiting for one; fails with `Done` when the outbox is closed and empty. Only the waiting can be
   * interrupted: run it in an uninterruptible region and no taken record is lost.
   */
  readonly take: Effect.Effect<LedgerRecord, Cause.Done>
  /** Takes no more in. What waits can still be taken. */
  readonly close: Effect.Effect<void>
  /** Takes everything that waits, oldest first. */
  readonly drain: Effect.Effect<ReadonlyArray<LedgerRecord>>
  /** How many records wait, and their bytes of JSON. */
  readonly size: () => { readonly records: number; readonly bytes: number }
}

/** The memory outbox of the surrounding client. */
export class Outbox extends Context.Service<Outbox, Service>()("xase-sdk/Outbox") {}

const accepted: Offer = { _tag: "Accepted", evicted: [] }
const full: Offer = { _tag: "Full" }
const closed: Offer = { _tag: "Closed" }

/** What bounds an outbox; see the settings of the same names. */
export interface Bounds {
  readonly queueMaxSize: number
  readonly queueMaxBytes: number
  readonly queuePolicy: "drop-oldest" | "drop-newest" | "backpressure"
}

/** An outbox in the memory of the process: nothing survives it. */
export const makeMemory = Effect.fnUntraced(function* (bounds: Bounds): Effect.fn.Return<Service> {
  const queue = yield* Queue.bounded<LedgerRecord, Cause.Done>(bounds.queueMaxSize)
  const room = yield* Latch.make(false)
  let bytes = 0
  let isClosed = false

  const hasRoomFor = (record: LedgerRecord): boolean =>
    !Queue.isFullUnsafe(queue) && (bytes + record.byteLength <= bounds.queueMaxBytes || Queue.sizeUnsafe(queue) === 0)

  const enter = (record: LedgerRecord): void => {
    bytes += record.byteLength
    Queue.offerUnsafe(queue, record)
  }

  const left = (record: LedgerRecord): void => {
    bytes -= record.byteLength
    room.openUnsafe()
  }

  const takeNow = (): LedgerRecord | undefined => {
    const oldest = Queue.takeUnsafe(queue)
    if (oldest === undefined || !Exit.isSuccess(oldest)) return undefined
    left(oldest.value)
    return oldest.value
  }

  const evictFor = (record: LedgerRecord): ReadonlyArray<LedgerRecord> => {
    const evicted: Array<LedgerRecord> = []
    while (!hasRoomFor(record)) {
      const oldest = takeNow()
      if (oldest === undefined) break
      evicted.push(oldest)
    }
    return evicted
  }

  const offerNow = (record: LedgerRecord): Offer => {
    if (isClosed) return closed
    if (hasRoomFor(record)) {
      enter(record)
      return accepted
    }
    if (bounds.queuePolicy !== "drop-oldest") return full
    const evicted = evictFor(record)
    enter(record)
    return { _tag: "Accepted", evicted }
  }

  // Waiting looks and does not take: a taker that is interrupted between the two has taken nothing.
  const take: Effect.Effect<LedgerRecord, Cause.Done> = Effect.suspend(() => {
    const record = takeNow()
    return record === undefined ? Effect.andThen(Effect.interruptible(Queue.peek(queue)), take) : Effect.succeed(record)
  })

  return {
    offerNow,
    room: Effect.suspend(() => {
      if (!isClosed) room.closeUnsafe()
      return room.await
    }),
    take,
    close: Effect.suspend(() => {
      isClosed = true
      room.openUnsafe()
      return Effect.asVoid(Queue.end(queue))
    }),
    drain: Effect.sync(() => {
      const records: Array<LedgerRecord> = []
      for (let record = takeNow(); record !== undefined; record = takeNow()) records.push(record)
      return records
    }),
    size: () => ({ records: Queue.sizeUnsafe(queue), bytes })
  }
})

/** {@link makeMemory} with the bounds of the settings. */
export const layerMemory: Layer.Layer<Outbox, never, XaseConfig> = Layer.effect(
  Outbox,
  Effect.flatMap(XaseConfig, makeMemory)
)
