/**
 * Records that a fiber is delivering at this moment: counted, traced, and settled however the delivery ends.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { Receipt } from "../contract/Receipt.ts"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import type { DeliveryError } from "../XaseError.ts"
import * as Metrics from "./Metrics.ts"
import * as Outcome from "./Outcome.ts"
import type { Accounts } from "./Settlement.ts"

/** A delivery of one record, and how it ended. */
type Delivering = Effect.Effect<Receipt, DeliveryError>
type Ended = Exit.Exit<Receipt, DeliveryError>

/** Runs deliveries and counts those that are running. */
export interface InFlight {
  readonly count: () => number
  /** Runs a delivery, which alone can be interrupted, to its end, and reports how it ended. */
  readonly run: (record: LedgerRecord, delivery: Delivering, ended: (exit: Ended) => void) => Delivering
  /** Settles a record as its delivery ended; an interrupted one as dropped for `reason`, or because the client closed. */
  readonly settle: (record: LedgerRecord, exit: Ended, reason: Outcome.DropReason) => void
}

/** None in flight. */
export const make = (settlement: Accounts, isClosed: () => boolean): InFlight => {
  let count = 0
  return {
    count: () => count,
    run: (record, delivery, ended) =>
      Effect.suspend(() => {
        count++
        return Effect.interruptible(traced(record, Effect.trackDuration(delivery, Metrics.deliveryTime)))
      }).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            count--
            ended(exit)
          })
        )
      ),
    settle: (record, exit, reason) =>
      settlement.settle(record, outcomeOf(record, exit, isClosed() ? "Shutdown" : reason))
  }
}

const outcomeOf = (record: LedgerRecord, exit: Ended, reason: Outcome.DropReason): Outcome.Outcome => {
  if (Exit.isSuccess(exit)) return Outcome.delivered(record, exit.value)
  const error = Cause.findErrorOption(exit.cause)
  return Option.isSome(error) ? Outcome.failed(record, error.value) : Outcome.dropped(record, reason, true)
}

/** Makes a span for the delivery, linked to the one that recorded, unless no tracer would see it. */
const traced = <A, E>(record: LedgerRecord, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.withFiber((fiber) =>
    (fiber.cache.tracer ?? Tracer.nativeTracer) === Tracer.nativeTracer
      ? effect
      : Effect.withSpan(effect, "xase.deliver", {
          kind: "client",
          root: true,
          links: record.span === undefined ? [] : [{ span: record.span, attributes: {} }],
          attributes: { "xase.policy": record.policy, "xase.idempotency_key": record.idempotencyKey }
        })
  )
