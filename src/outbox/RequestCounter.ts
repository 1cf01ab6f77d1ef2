/**
 * Counts the requests of everybody who shares it.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { OutboxUnavailable } from "../XaseError.ts"

/** Whether all are to wait because the ledger refused one of them. */
export interface Pause {
  /** How long still, in milliseconds; 0 for not at all. */
  readonly milliseconds: number
  /** The ledger has none left, or refused the request that this was asked for: all are to wait. */
  readonly refused: (later: Duration.Duration) => Effect.Effect<void, OutboxUnavailable>
}

/** Counts the requests of all clients that share it. */
export interface RequestCounter {
  /**
   * Takes one request of a limit under a name and answers how many are left; a negative number, with nothing taken, when
   * there is none. The name is forgotten after `window` milliseconds at the earliest.
   */
  readonly take: (name: string, limit: number, window: number) => Effect.Effect<number, OutboxUnavailable>
  /** Whether all that use this name are to wait. */
  readonly pause: (name: string) => Effect.Effect<Pause, OutboxUnavailable>
}
