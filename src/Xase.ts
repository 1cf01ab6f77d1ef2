/**
 * The service that applications use: record a decision and go on.
 *
 * It makes records of decisions and hands them to `Delivery`; everything that can be wrong with a decision is told here,
 * before anything is queued, and everything that happens to a record later is its outcome.
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { HttpClient } from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { Decision } from "./Decision.ts"
import * as Delivery from "./Delivery.ts"
import * as Journal from "./Journal.ts"
import * as Ledger from "./Ledger.ts"
import * as LedgerRecord from "./LedgerRecord.ts"
import * as Outbox from "./Outbox.ts"
import type { Outcome } from "./Outcome.ts"
import * as DurableOutbox from "./outbox/DurableOutbox.ts"
import { evidenceBytes } from "./Producer.ts"
import * as RateLimit from "./RateLimit.ts"
import type { Receipt } from "./Receipt.ts"
import type { RecordStore } from "./RecordStore.ts"
import * as RuntimeContext from "./RuntimeContext.ts"
import * as Transport from "./Transport.ts"
import * as Verifier from "./Verifier.ts"
import * as XaseConfig from "./XaseConfig.ts"
import {
  ConfigurationError,
  type FlushTimeout,
  type InvalidIdempotencyKey,
  type RecordError,
  type RecordNowError,
  ValidationError,
  type VerifyError
} from "./XaseError.ts"

/** What can be said about one call of `record` or `recordNow`. Durations are milliseconds or text such as `"3 seconds"`. */
export interface RecordOptions {
  /** A UUID v4 or 16 to 64 of `A-Z a-z 0-9 _ -`; else derived from `transactionId`, else fresh. */
  readonly idempotencyKey?: string | undefined
  /** The deadline of each attempt for this record, instead of the client's. */
  readonly timeout?: Duration.Input | undefined
}

/** See the module. */
export interface Service {
  /**
   * Takes a decision in and returns at once, without waiting for the network. Its outcome is told by `outcomes`, `stats` and
   * metrics. Fails, with nothing queued, when the decision is not valid, its key stands for another decision, or the outbox
   * is closed or (under `drop-newest`) full; under `backpressure` it waits for room.
   *
   * **Example**
   *
   * ```ts
   * yield* xase.record({ policy: "credit_policy_v4", input, output, confidence: 0.94 })
   * ```
   */
  readonly record: (decision: Decision, options?: RecordOptions) => Effect.Effect<void, RecordError>
  /**
   * Sends a decision past the outbox and waits for its receipt. Retries what may pass, waits for a rate limit up to
   * `maxRetryAfter`, and fails with the typed error of anything else.
   *
   * **Example**
   *
   * ```ts
   * const receipt = yield* xase.recordNow({ policy: "fraud_detection_v2", input, output })
   * ```
   */
  readonly recordNow: (decision: Decision, options?: RecordOptions) => Effect.Effect<Receipt, RecordNowError>
  /** Waits until everything that was accepted before has settled, 5 s unless told otherwise. */
  readonly flush: (timeout?: Duration.Input) => Effect.Effect<void, FlushTimeout>
  /** The books of delivery at this moment. */
  readonly stats: Effect.Effect<Delivery.Stats>
  /**
   * How records settle, from now on. A subscriber that falls 16,384 outcomes behind misses the oldest, and the stream ends
   * with the client.
   */
  readonly outcomes: Stream.Stream<Outcome>
  /**
   * Verifies a record with all that this client knows of it, its journal above all, and believes the ledger nothing. With
   * the decision that it should hold, also that the record was made of it.
   *
   * **Example**
   *
   * ```ts
   * const { sentence, verdict } = yield* xase.verify(receipt.transactionId, decision)
   * ```
   */
  readonly verify: (transactionId: string, decision?: Decision) => Effect.Effect<Verifier.Verified, VerifyError>
  /** Uses another API key from now on; records that were held because the old one was refused are sent at once. */
  readonly setApiKey: (apiKey: string | Redacted.Redacted<string>) => Effect.Effect<void, ConfigurationError>
}

/** See the module. */
export class Xase extends Context.Service<Xase, Service>()("xase-sdk/Xase") {
  /**
   * The client with these settings, the rest from `XASE_*` variables and the defaults, over whatever `HttpClient` is
   * provided. Closing its scope delivers what waits, up to `shutdownTimeout`.
   *
   * **Example**
   *
   * ```ts
   * program.pipe(Effect.provide(Xase.layer({ concurrency: 4 })), Effect.provide(FetchHttpClient.layer))
   * ```
   */
  static readonly layer = (options: XaseConfig.Options = {}): Layer.Layer<Xase, ConfigurationError, HttpClient> =>
    Layer.provide(layerOver(options), Transport.layerHttpClient)

  /**
   * {@link Xase.layer} with settings that may come from an application's own `Config`.
   *
   * **Example**
   *
   * ```ts
   * Xase.layerConfig({ apiKey: Config.Redacted("LEDGER_KEY"), concurrency: 4 })
   * ```
   */
  static readonly layerConfig = (
    options: Config.Wrap<XaseConfig.Options>
  ): Layer.Layer<Xase, ConfigurationError, HttpClient> =>
    Layer.unwrap(
      Config.unwrap(options).pipe(
        Effect.mapError(
          (error) =>
            new ConfigurationError({
              setting: "given to Xase.layerConfig",
              problem: `could not be read: ${error.message}`,
              fix: "Set the variable that it names."
            })
        ),
        Effect.map((read) => Xase.layer(read))
      )
    )
}

/**
 * The synchronous half of recording, for a caller outside of any fiber: what `Xase.record` does, without an Effect around
 * it. The Promise facade uses it so that a call costs no fiber.
 */
export interface Recorder {
  /** `now` in epoch milliseconds; `span` is the one that is active in the application. */
  readonly makeRecord: (
    decision: Decision,
    options: RecordOptions,
    now: number,
    span: Tracer.AnySpan | undefined
  ) => Result.Result<LedgerRecord.LedgerRecord, ValidationError | InvalidIdempotencyKey>
  readonly delivery: Delivery.Service
  /** See `Xase.verify`. */
  readonly verify: Service["verify"]
}

/** See {@link Recorder}. */
export class CurrentRecorder extends Context.Service<CurrentRecorder, Recorder>()("xase-sdk/Xase/CurrentRecorder") {}

const makeRecorder = Effect.gen(function* () {
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
  return CurrentRecorder.of({
    makeRecord: (decision, { idempotencyKey, timeout }, now, span) => {
      const deadline = timeoutOf(timeout)
      return Result.isFailure(deadline)
        ? Result.fail(deadline.failure)
        : LedgerRecord.make(decision, { now, span, idempotencyKey, timeout: deadline.success }, encoding)
    },
    delivery,
    verify: (transactionId, decision) =>
      decision === undefined
        ? Verifier.verify(ledger, journal, transactionId)
        : Effect.flatMap(Effect.fromResult(LedgerRecord.make(decision, nobody, encoding)), ({ draft }) =>
            Verifier.verify(ledger, journal, transactionId, draft === undefined ? undefined : Verifier.knownFrom(draft))
          )
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

/** Where records of the settings wait durably, and the limit that all who share the place keep. */
export const layerShared: Layer.Layer<RecordStore, never, XaseConfig.XaseConfig> = Layer.provideMerge(
  RateLimit.layer,
  DurableOutbox.layer
)

/** The {@link Recorder} with its delivery, over a ledger, a journal and a durable outbox or none. */
export const layerRecorder: Layer.Layer<
  CurrentRecorder,
  never,
  Journal.Journal | Ledger.Ledger | RecordStore | XaseConfig.XaseConfig
> = Layer.effect(CurrentRecorder, makeRecorder).pipe(Layer.provide(Delivery.layer), Layer.provide(Outbox.layerMemory))

const defaultFlushTimeout = Duration.seconds(5)

const make = Effect.gen(function* () {
  const { delivery, makeRecord, verify } = yield* CurrentRecorder
  const ledger = yield* Ledger.Ledger

  const recordOf = (decision: Decision, options: RecordOptions = {}) =>
    Effect.withFiber<LedgerRecord.LedgerRecord, ValidationError | InvalidIdempotencyKey>((fiber) =>
      Effect.fromResult(
        makeRecord(decision, options, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe(), fiber.cache.span)
      )
    )

  return Xase.of({
    record: (decision, options) => traced(Effect.flatMap(recordOf(decision, options), delivery.accept)),
    recordNow: (decision, options) => traced(Effect.flatMap(recordOf(decision, options), delivery.deliverNow)),
    flush: (timeout = defaultFlushTimeout) => delivery.flush(Duration.fromInputUnsafe(timeout)),
    stats: Effect.sync(delivery.stats),
    outcomes: delivery.outcomes,
    verify,
    setApiKey: (apiKey) =>
      Effect.flatMap(XaseConfig.apiKeyFrom(apiKey), ledger.setApiKey).pipe(Effect.andThen(delivery.wake))
  })
})

/** {@link Xase.layer} over a transport of its own. */
export const layerOver = (options: XaseConfig.Options): Layer.Layer<Xase, ConfigurationError, Transport.Transport> =>
  layerService.pipe(
    Layer.provide(layerRecorder),
    Layer.provide([Ledger.layer, Journal.layer]),
    Layer.provide(layerShared),
    Layer.provide(XaseConfig.layer(options))
  )

/** {@link Xase} over a {@link Recorder}. */
export const layerService: Layer.Layer<Xase, never, CurrentRecorder | Ledger.Ledger> = Layer.effect(Xase, make)

const timeoutOf = (timeout: unknown): Result.Result<Duration.Duration | undefined, ValidationError> =>
  timeout === undefined
    ? Result.succeed(undefined)
    : Result.mapError(
        XaseConfig.positiveDuration(timeout),
        (problem) => new ValidationError({ issues: [{ path: "options.timeout", message: problem.join(". ") }] })
      )

/** A span is made only when somebody sees it: with Effect's own tracer it would cost more than the recording. */
const traced = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.withFiber((fiber) =>
    (fiber.cache.tracer ?? Tracer.nativeTracer) === Tracer.nativeTracer
      ? effect
      : Effect.withSpan(effect, "xase.record")
  )
