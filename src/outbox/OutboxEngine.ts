/**
 * An open durable outbox: Effect's persisted queue over an engine, and what people need to look after it.
 *
 * Each engine (`SqliteOutbox`, `RedisOutbox`, `PostgresOutbox`) makes one. Records wait in one queue, dead letters in
 * another, which nobody takes from.
 */
import type * as Effect from "effect/Effect"
import type * as PersistedQueue from "effect/persistence/PersistedQueue"
import type { SqlError } from "effect/sql/SqlError"
import type { OutboxUnavailable } from "../XaseError.ts"
import type { RequestCounter } from "./RequestCounter.ts"

/** The queue of records that wait or are being delivered. */
export const recordsQueue = "records"

/** The queue of dead letters. */
export const deadLettersQueue = "dead-letters"

/** Where an element of the outbox stands. `unreadable`: the engine itself gave up on it. */
export type ElementState = "waiting" | "in flight" | "dead" | "unreadable"

/** An element as the engine keeps it. */
export interface StoredElement {
  /** What {@link Care.remove} knows it by; differs from engine to engine. */
  readonly handle: string
  readonly state: ElementState
  /** How often it was taken. */
  readonly attempts: number
  /** The parsed JSON; `undefined` when it is none. */
  readonly element: unknown
}

/** Some elements, and where the next ones begin; no `next` after the last ones. */
export interface ElementPage {
  readonly elements: ReadonlyArray<StoredElement>
  readonly next: string | undefined
}

/** How many elements stand where. */
export type ElementCounts = { readonly [State in ElementState]: number }

/** What people need to look after an outbox. */
export interface Care {
  readonly counts: Effect.Effect<ElementCounts, OutboxUnavailable>
  /** The elements in a state from the oldest on, a page at a time; `from` is the `next` of the page before. */
  readonly page: (
    state: ElementState,
    from: string | undefined,
    limit: number
  ) => Effect.Effect<ElementPage, OutboxUnavailable>
  /** The elements that wait or are in flight and are oldest: the first ones of each. */
  readonly oldest: Effect.Effect<ReadonlyArray<StoredElement>, OutboxUnavailable>
  /** Removes elements for good. */
  readonly remove: (elements: ReadonlyArray<StoredElement>) => Effect.Effect<void, OutboxUnavailable>
  /** What is wrong with the store itself, in sentences; empty when nothing is. */
  readonly check: Effect.Effect<ReadonlyArray<string>, OutboxUnavailable>
  /** Gives space back to the system, where the engine does not do so by itself. */
  readonly compact: Effect.Effect<void, OutboxUnavailable>
}

/** A durable queue over SQLite, Redis or Postgres, with what people need to look after it. */
export interface OutboxStore {
  readonly queues: PersistedQueue.PersistedQueueStore["Service"]
  /** Runs offers so that all of them are stored or none; `undefined` where the engine cannot. */
  readonly together: (<A, E>(offers: Effect.Effect<A, E>) => Effect.Effect<A, E | SqlError>) | undefined
  readonly care: Care
  /** Counts requests for all clients of this store; `undefined` where the engine cannot. */
  readonly counter: RequestCounter | undefined
  /** Whether a failure says that the store itself is damaged, so that it has to be opened anew. */
  readonly isDamage: (failure: unknown) => boolean
  /** Whether a failure leaves it open whether what was offered is stored. */
  readonly isAmbiguous: boolean
  /** What was found and mended while opening, for a log line. */
  readonly report: string | undefined
}
