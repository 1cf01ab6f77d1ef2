/**
 * The synchronous half of recording, under both faces: it makes records of decisions and hands them to delivery.
 *
 * Everything that can be wrong with a decision is told here, before anything is queued. The Promise facade calls it outside of
 * any fiber, so that a call costs none.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Tracer from "effect/Tracer"
import type { Decision } from "../decision/Decision.ts"
import * as LedgerRecord from "../decision/DecisionRecord.ts"
import * as RuntimeContext from "../decision/RuntimeContext.ts"
import { evidenceBytes } from "../decision/Sealer.ts"
import * as Delivery from "../delivery/Delivery.ts"
import * as Journal from "../delivery/Journal.ts"
import * as RateLimit from "../delivery/RateLimit.ts"
import * as Ledger from "../ledger/Ledger.ts"
import type { Transport } from "../ledger/Transport.ts"
import * as DurableOutbox from "../outbox/DurableOutbox.ts"
import * as Outbox from "../outbox/MemoryOutbox.ts"
import type { RecordStore } from "../outbox/RecordStore.ts"
import * as XaseConfig from "../settings/XaseConfig.ts"
import { type InvalidIdempotencyKey, ValidationError, type VerifyError } from "../XaseError.ts"
import type { Verified } from "./RecordVerifier.ts"

/** What can be said about one call of `record` or `recordNow`. Durations are milliseconds or text such as `"3 seconds"`. */
export interface RecordOptions {
  /** A UUID v4 or 16 to 64 of `A-Z a-z 0-9 _ -`; else derived from `transactionId`, else fresh. */
  readonly idempotencyKey?: string | undefined
  /** The deadline of each attempt for this record, instead of the client's. */
  readonly timeout?: Duration.Input | undefined
}

/** Makes records of decisions, delivers them and verifies them. */
export interface Service {
  /** `now` in epoch milliseconds; `span` is the one that is active in the application. */
  readonly makeRecord: (
    decision: Decision,
    options: RecordOptions,
    now: number,
    span: Tracer.AnySpan | undefined
  ) => Result.Result<LedgerRecord.LedgerRecord, ValidationError | InvalidIdempotencyKey>
  readonly delivery: Delivery.Service
  /** See `Xase.verify`. */
  readonly verify: (transactionId: string, decision?: Decision) => Effect.Effect<Verified, VerifyError>
}

/** The one object under both faces: makes records of decisions, delivers them and verifies them. */
export class Client extends Context.Service<Client, Service>()("xase-sdk/client/Client") {}

const make = Effect.gen(function* () {
  const config = yield* XaseConfig.XaseConfig
  const journal = yield* Journal.Journal
  const ledger = yield* Ledger.Ledger
  const delivery = yield* Delivery.Delivery
  const encoding: LedgerRecord.Encoding = {
    runtimeContext: config.runtimeContext ? RuntimeContext.make(config.environment) : {},
    redactions: config.redactions,
    redact: config.redact,
    maxRecordBytes: config.maxRecordBytes,
    evidenceBytes: config.commitments ? evidenceBytes(config.signer) : 0
  }
  warmUp(encoding)
  return Client.of({
    makeRecord: (decision, { idempotencyKey, timeout }, now, span) => {
      const deadline = timeoutOf(timeout)
      return Result.isFailure(deadline)
        ? Result.fail(deadline.failure)
        : LedgerRecord.make(decision, { now, span, idempotencyKey, timeout: deadline.success }, encoding)
    },
    delivery,
    verify: Effect.fnUntraced(function* (transactionId, decision) {
      const held =
        decision === undefined ? undefined : yield* Effect.fromResult(LedgerRecord.make(decision, nobody, encoding))
      // Most processes only record: what verifies is loaded by those that ask.
      const { knownFrom, verify } = yield* Effect.promise(() => import("./RecordVerifier.ts"))
      return yield* verify(
        ledger,
        journal,
        transactionId,
        held?.draft === undefined ? undefined : knownFrom(held.draft)
      )
    })
  })
})

const nobody: LedgerRecord.Circumstances = {
  now: 0,
  span: undefined,
  idempotencyKey: undefined,
  timeout: undefined
}

/**
 * Makes two records for nobody, one with a derived key and one with a fresh one: the first use of the runtime's digest and
 * randomness costs milliseconds, which belong to the start of the application and not to its first decision.
 */
const warmUp = (encoding: LedgerRecord.Encoding): void => {
  for (const transactionId of ["warm-up", undefined]) {
    LedgerRecord.make({ policy: "warm-up", input: {}, output: {}, transactionId }, nobody, {
      ...encoding,
      redact: undefined
    })
  }
}

/** The client over a ledger, a journal and the durable outbox of the settings. */
const layerOverStore: Layer.Layer<
  Client,
  never,
  Journal.Journal | Ledger.Ledger | RecordStore | XaseConfig.XaseConfig
> = Layer.effect(Client, make).pipe(Layer.provide(Delivery.layer), Layer.provide(Outbox.layerMemory))

/** The client over any ledger: the outbox is that of the settings. */
export const layerOverLedger: Layer.Layer<Client, never, Journal.Journal | Ledger.Ledger | XaseConfig.XaseConfig> =
  Layer.provide(layerOverStore, DurableOutbox.layer)

/** The client with its ledger, outbox and rate limit, over a transport and a journal: what both faces and the command use. */
export const layer: Layer.Layer<
  Client | Ledger.Ledger | RecordStore,
  never,
  Journal.Journal | Transport | XaseConfig.XaseConfig
> = layerOverStore.pipe(
  Layer.provideMerge(Ledger.layer),
  Layer.provide(RateLimit.layer),
  Layer.provideMerge(DurableOutbox.layer)
)

const timeoutOf = (timeout: unknown): Result.Result<Duration.Duration | undefined, ValidationError> =>
  timeout === undefined
    ? Result.succeed(undefined)
    : Result.mapError(
        XaseConfig.positiveDuration(timeout),
        (problem) => new ValidationError({ issues: [{ path: "options.timeout", message: problem.join(". ") }] })
      )
