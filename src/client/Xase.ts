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
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { Receipt } from "../contract/Receipt.ts"
import type { Decision } from "../decision/Decision.ts"
import type * as LedgerRecord from "../decision/DecisionRecord.ts"
import type * as Delivery from "../delivery/Delivery.ts"
import * as Journal from "../delivery/Journal.ts"
import type { Outcome } from "../delivery/Outcome.ts"
import * as HttpClientTransport from "../ledger/HttpClientTransport.ts"
import * as Ledger from "../ledger/Ledger.ts"
import type * as Transport from "../ledger/Transport.ts"
import * as XaseConfig from "../settings/XaseConfig.ts"
import {
  ConfigurationError,
  type FlushTimeout,
  type InvalidIdempotencyKey,
  type RecordError,
  type RecordNowError,
  type ValidationError,
  type VerifyError
} from "../XaseError.ts"
import type { RecordOptions } from "./Client.ts"
import * as Client from "./Client.ts"
import type * as Verifier from "./RecordVerifier.ts"

/** Records decisions as evidence in a Xase ledger, waits for receipts, and verifies records. */
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

/** The Effect service that records decisions as evidence. Provide it with `XaseLive` or `Xase.layer`. */
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
    Layer.provide(layerOver(options), HttpClientTransport.layer)

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

const defaultFlushTimeout = Duration.seconds(5)

const make = Effect.gen(function* () {
  const { delivery, makeRecord, verify } = yield* Client.Client
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
    outcomes: Stream.fromPubSub(delivery.outcomes),
    verify,
    setApiKey: (apiKey) =>
      Effect.flatMap(XaseConfig.apiKeyFrom(apiKey), ledger.setApiKey).pipe(Effect.andThen(delivery.wake))
  })
})

/** {@link Xase.layer} over a transport of its own. */
export const layerOver = (options: XaseConfig.Options): Layer.Layer<Xase, ConfigurationError, Transport.Transport> =>
  layerService.pipe(Layer.provide(Client.layer), Layer.provide(Journal.layer), Layer.provide(XaseConfig.layer(options)))

/** {@link Xase} over a {@link Client.Client}. */
export const layerService: Layer.Layer<Xase, never, Client.Client | Ledger.Ledger> = Layer.effect(Xase, make)

/** A span is made only when somebody sees it: with Effect's own tracer it would cost more than the recording. */
const traced = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.withFiber((fiber) =>
    (fiber.cache.tracer ?? Tracer.nativeTracer) === Tracer.nativeTracer
      ? effect
      : Effect.withSpan(effect, "xase.record")
  )
