/**
 * Where accepted records are safe: a durable outbox, as delivery knows it.
 *
 * A record stays in its store until it has been handed over: whoever takes it holds it on a lease, and a worker that dies
 * gives it back. The rooms behind it are SQLite, Redis and Postgres (see `outbox/`). Without a durable outbox there is none,
 * and accepted records wait in the memory of the process (see `Outbox`).
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import type { OutboxUnavailable } from "../XaseError.ts"
import type { RequestCounter } from "./RequestCounter.ts"

/** A sealed record and what is known of its acceptance. */
export interface Stored {
  readonly record: LedgerRecord
  /** Epoch milliseconds. */
  readonly acceptedAt: number
  /** The client that accepted it: an id of its own for each client and each start. */
  readonly owner: string
}

/** What becomes of a record that was taken: it leaves the store, or it is set aside for people to look at. */
export type Disposal = { readonly _tag: "Done" } | { readonly _tag: "DeadLetter"; readonly reason: string }

/** A durable outbox: records stay in it until they are handed over. */
export interface Service {
  /** The kind of the store, for people. */
  readonly kind: string
  /**
   * Stores records in their order. `onStored` is told of each one that is safe; when it fails, those that it was not told
   * of are not, or perhaps, as the error says.
   */
  readonly store: (
    entries: ReadonlyArray<Stored>,
    onStored: (entry: Stored) => void
  ) => Effect.Effect<void, OutboxUnavailable>
  /**
   * Waits for the oldest record that nobody holds, lends it to `deliver` and does what that says. When `deliver` is
   * interrupted the record goes back. Never fails: a store that is away is waited for.
   */
  readonly next: (deliver: (entry: Stored) => Effect.Effect<Disposal>) => Effect.Effect<void>
  /** When the oldest record of the store was accepted, whoever holds it; `undefined` when there is none. */
  readonly oldest: Effect.Effect<number | undefined, OutboxUnavailable>
  /** Counts requests for all clients of this store; only Redis does. */
  readonly counter: RequestCounter
}

/** The durable outbox of a client, if it has one. */
export class RecordStore extends Context.Service<RecordStore, Service | undefined>()("xase-sdk/RecordStore") {}
