/**
 * The SDK for plain TypeScript: Promises in, Promises out, no knowledge of Effect needed.
 *
 * A drop-in for the original Node SDK with the same names, options, defaults, results and error codes. `record` costs no
 * fiber: it makes the record and queues it in the caller's own step. No promise of this module that nobody awaits can end
 * the host as an unhandled rejection; `onError` hears of the failure either way.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Client from "./client/Client.ts"
import { VerificationFromLedger, type VerificationJson } from "./contract/LedgerClaim.ts"
import { type Receipt, ReceiptFromLedger, type ReceiptJson } from "./contract/Receipt.ts"
import type { Decision } from "./decision/Decision.ts"
import type { SignerOptions } from "./decision/Signer.ts"
import type { Stats } from "./delivery/Delivery.ts"
import * as Journal from "./delivery/Journal.ts"
import type { Dropped, Settled } from "./delivery/Outcome.ts"
import { CurrentObserver, type Observer } from "./delivery/Settlement.ts"
import type { Verdict } from "./evidence/Verdict.ts"
import { Ledger } from "./ledger/Ledger.ts"
import * as NodeTransport from "./ledger/NodeTransport.ts"
import { type LineLevel, type LoggerOption, loggerFrom, safely } from "./promise/Callbacks.ts"
import * as ProcessExit from "./promise/ProcessExit.ts"
import * as UnrefClock from "./promise/UnrefClock.ts"
import * as XaseError from "./promise/XaseError.ts"
import type { OutboxOptions } from "./settings/OutboxSettings.ts"
import * as XaseConfig from "./settings/XaseConfig.ts"
import { ConfigurationError, QueueClosed, QueueFull, ValidationError } from "./XaseError.ts"

export type { VerificationJson } from "./contract/LedgerClaim.ts"
export type { ReceiptJson } from "./contract/Receipt.ts"
export { CustomDecisionType, type DecisionType, decisionTypes } from "./decision/Decision.ts"
export type { SignerOptions } from "./decision/Signer.ts"
export type { DeliveryState, Stats } from "./delivery/Delivery.ts"
export type { Settled } from "./delivery/Outcome.ts"
export type { Problem, Reason, Verdict } from "./evidence/Verdict.ts"
export type { LoggerObject, LoggerOption } from "./promise/Callbacks.ts"
export { XaseError } from "./promise/XaseError.ts"
export type { OutboxOptions } from "./settings/OutboxSettings.ts"

/** A decision; see `Decision` for its fields. */
export type RecordPayload = Decision

/** The ledger's receipt, as the ledger writes it. */
export interface RecordResult extends ReceiptJson {
  readonly success: true
}

/** What is known of a record: the verdict, and what the ledger says of itself. */
export interface VerifyResult extends Verdict {
  readonly transactionId: string
  /** Absent when the ledger has no such record any more. */
  readonly ledger: VerificationJson | undefined
}

/** What can be said about one call of `record`. */
export interface RecordOptions {
  /** A UUID v4 or 16 to 64 of `A-Z a-z 0-9 _ -`; else derived from `transactionId`, else fresh. */
  readonly idempotencyKey?: string | undefined
  /** The deadline of each attempt for this record, in milliseconds. */
  readonly timeout?: number | undefined
  /** Waits for the ledger's receipt, whatever `fireAndForget` says. */
  readonly skipQueue?: boolean | undefined
}

/** A setting that is a duration elsewhere is a number of milliseconds here. */
type Durations = "timeout" | "maxRetryAfter" | "shutdownTimeout"

/** The settings of a client. Each that is left out comes from its `XASE_*` variable, else from its default. */
export interface XaseClientConfig
  extends Omit<XaseConfig.Options, "apiKey" | "signer" | "outbox" | "rateLimit" | Durations>,
    Partial<Record<Durations, number | undefined>> {
  /** The key that the ledger issued. `XASE_API_KEY`. Required. */
  readonly apiKey?: string | undefined
  /** The customer's own key (Ed25519), which signs each commitment before it is sent. Default none. */
  readonly signer?: SignerOptions<string> | undefined
  /**
   * Where accepted records wait: `memory`, `sqlite:./outbox.db`, `redis://...`, `postgres://...`, or options with such a
   * `url`. In a durable one `record` resolves once the record is stored, and it survives the process. `XASE_OUTBOX`.
   * Default `memory`.
   */
  readonly outbox?: string | OutboxOptions<number, string> | undefined
  /**
   * How many records the ledger takes in a window of the clock for this key, so that nobody sends more. Clients that share
   * a Redis outbox share the count.
   */
  readonly rateLimit?: XaseConfig.RateLimit<number> | undefined
  /** Whether `record` returns once the decision is queued, not once the ledger has it. `XASE_FIRE_AND_FORGET`. Default true. */
  readonly fireAndForget?: boolean | undefined
  /** Told of every record that the ledger took. What it throws, and a promise of its own that rejects, changes nothing. */
  readonly onSuccess?: ((result: RecordResult, about: Settled) => unknown) | undefined
  /**
   * Told of every decision that did not become evidence, and, with `error.kept`, when delivery is held because of the
   * ledger. `about` says which decision, where there is one that was accepted. What it throws changes nothing.
   */
  readonly onError?: ((error: XaseError.XaseError, about?: Settled) => unknown) | undefined
  /**
   * Gets the few lines that the SDK logs, one for each change of state: a function, or an object with `info` and `warn`
   * such as `console` or a pino logger. What it throws changes nothing. Silent by default, and with `false`.
   */
  readonly logger?: LoggerOption | undefined
  /** Whether SIGINT, SIGTERM and the natural end of the process close the client. Default true. */
  readonly exitHandlers?: boolean | undefined
}

/** The longest that a timer takes, in milliseconds. */
const longestInterval = 2 ** 31 - 1

const toReceiptJson = Schema.encodeSync(ReceiptFromLedger)
const toVerificationJson = Schema.encodeSync(VerificationFromLedger)

const resultOf = (receipt: Receipt): RecordResult => ({ success: true, ...toReceiptJson(receipt) })

/** A promise that may be left alone: when it rejects and nobody looks, the host goes on. */
const handled = <A>(promise: Promise<A>): Promise<A> => {
  promise.catch(() => {})
  return promise
}

/** What letting go of connections may take at least, in milliseconds. */
const leastClosing = 100

/** Waits for a promise, for half of a client's shutdown time at most; it never rejects. */
const inTime = (ending: Promise<unknown>, shutdownMillis: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.max(shutdownMillis / 2, leastClosing))
    const end = (): void => {
      clearTimeout(timer)
      resolve()
    }
    ending.then(end, end)
  })

/** What `record` returns when it has queued: one promise for all calls, since there is nothing to wait for. */
const queued: Promise<undefined> = Promise.resolve(undefined)

const orThrow = <A>(exit: Exit.Exit<A, XaseError.TaggedError>): A => {
  if (Exit.isSuccess(exit)) return exit.value
  throw XaseError.fromCause(exit.cause)
}

/** The logger of an option, or a `XaseError` that names it. */
const checkedLogger = (option: unknown): Log | undefined => {
  try {
    return loggerFrom(option)
  } catch (error) {
    throw error instanceof ConfigurationError ? XaseError.fromTagged(error) : error
  }
}

/** Reads the variables as they are now: Effect's default provider keeps those of its first use, before any dotenv. */
const fromEnvironment = <A>(settings: Effect.Effect<A, ConfigurationError>): A =>
  orThrow(Effect.runSyncExit(Effect.provideService(settings, ConfigProvider.ConfigProvider, ConfigProvider.fromEnv())))

type Log = (level: LineLevel, line: string) => void

const lineLogger = (log: Log): Logger.Logger<unknown, void> =>
  Logger.make(({ logLevel, message }) => {
    const line = (Array.isArray(message) ? message : [message]).map(String).join(" ")
    log(logLevel === "Info" || logLevel === "Debug" || logLevel === "Trace" ? "info" : "warn", line)
  })

/** The caller's functions, made safe to call. */
interface Callbacks extends Observer {
  /** A decision was not accepted. */
  readonly onRefusal: (error: XaseError.XaseError) => void
}

const makeCallbacks = (
  onSuccess: XaseClientConfig["onSuccess"],
  onError: XaseClientConfig["onError"],
  log: Log | undefined
): Callbacks => {
  let hasWarned = false
  const warn = (): void => {
    if (hasWarned) return
    hasWarned = true
    log?.("warn", "xase: a callback threw or rejected; delivery goes on, and this is said once")
  }
  // An error costs a stack trace, so it is only made where somebody listens.
  const tellError = (makeError: () => XaseError.XaseError, about?: Settled): void => {
    if (onError !== undefined) safely(() => onError(makeError(), about), warn)
  }
  return {
    onRefusal: (error) => tellError(() => error),
    onAlert: (alert) => tellError(() => XaseError.fromTagged(alert, true)),
    onOutcome: (outcome) => {
      switch (outcome._tag) {
        case "Delivered":
          return onSuccess === undefined ? undefined : safely(() => onSuccess(resultOf(outcome.receipt), outcome), warn)
        case "Failed":
          return tellError(() => XaseError.fromTagged(outcome.error), outcome)
        case "Dropped":
          return tellError(() => XaseError.fromTagged(dropError(outcome)), outcome)
      }
    }
  }
}

const dropError = ({ reason, started }: Dropped) =>
  reason === "QueueFull" ? new QueueFull({ dropped: true }) : new QueueClosed({ started })

/**
 * Records decisions as evidence in a Xase ledger. Throws a `XaseError` (`MISSING_API_KEY`, `CONFIGURATION_ERROR`) when a
 * setting is wrong.
 *
 * **Example**
 *
 * ```ts
 * const xase = new XaseClient({ apiKey: process.env.XASE_API_KEY! })
 * await xase.record({ policy: "credit_policy_v4", input, output, confidence: 0.94 })
 * ```
 */
export class XaseClient implements AsyncDisposable {
  readonly #runtime: ManagedRuntime.ManagedRuntime<Client.Client | Ledger, never>
  readonly #recorder: Client.Service
  readonly #ledger: Ledger["Service"]
  readonly #callbacks: Callbacks
  readonly #loggers: ReadonlySet<Logger.Logger<unknown, unknown>>
  readonly #fireAndForget: boolean
  readonly #exit: ProcessExit.Closeable
  readonly #journal = Scope.makeUnsafe()
  readonly #shutdownMillis: number
  #closing: Promise<void> | undefined

  constructor(config: XaseClientConfig = {}) {
    const { exitHandlers = true, fireAndForget, logger, onError, onSuccess, ...options } = config
    const log = checkedLogger(logger)
    this.#callbacks = makeCallbacks(onSuccess, onError, log)
    this.#fireAndForget = fromEnvironment(
      XaseConfig.booleanSetting("fireAndForget", "XASE_FIRE_AND_FORGET", fireAndForget, true)
    )
    const settings = fromEnvironment(XaseConfig.make(options))
    this.#loggers = new Set(log === undefined ? [] : [lineLogger(log)])
    this.#shutdownMillis = Duration.toMillis(settings.shutdownTimeout)
    // Apart from the layers: one that fails cannot end within this call.
    const journal = orThrow(
      Effect.runSyncExit(
        Journal.open(settings.journal, "write").pipe(
          Scope.provide(this.#journal),
          Effect.provideService(Logger.CurrentLoggers, this.#loggers)
        )
      )
    )
    this.#runtime = ManagedRuntime.make(
      Client.layer.pipe(
        Layer.provide([NodeTransport.layerBackground, Layer.succeed(Journal.Journal, journal)]),
        Layer.provide(Layer.succeed(XaseConfig.XaseConfig, settings)),
        Layer.provide([
          UnrefClock.layer,
          Layer.succeed(CurrentObserver, this.#callbacks),
          Layer.succeed(Logger.CurrentLoggers, this.#loggers)
        ])
      )
    )
    // All of this is made without waiting; the connection pool comes with the first request.
    const [recorder, ledger] = this.#runtime.runSync(Effect.all([Client.Client, Ledger]))
    this.#recorder = recorder
    this.#ledger = ledger
    this.#exit = {
      hasUnsettled: () => {
        const { inFlight, pending } = recorder.delivery.stats()
        return inFlight + pending > 0
      },
      flush: () => this.#run(recorder.delivery.flush(settings.shutdownTimeout)).catch(() => {}),
      close: () => this.close()
    }
    if (exitHandlers) ProcessExit.register(this.#exit)
  }

  /**
   * Records a decision. Resolves at once, with nothing, when it is queued; with `skipQueue`, or `fireAndForget: false`,
   * resolves with the ledger's receipt. Rejects with a `XaseError` when the decision is not valid (nothing is queued then),
   * the outbox does not take it, or, where the receipt is waited for, it could not be delivered.
   */
  record(payload: RecordPayload, options: RecordOptions & { readonly skipQueue: true }): Promise<RecordResult>
  record(payload: RecordPayload, options?: RecordOptions): Promise<RecordResult | undefined>
  record(payload: RecordPayload, options: RecordOptions = {}): Promise<RecordResult | undefined> {
    if (typeof options !== "object" || options === null) {
      const message = `must be an object, not ${options === null ? "null" : typeof options}: leave it out instead`
      return this.#refused(new ValidationError({ issues: [{ path: "options", message }] }))
    }
    const record = this.#recorder.makeRecord(payload, options, Date.now(), undefined)
    if (Result.isFailure(record)) return this.#refused(record.failure)
    const { delivery } = this.#recorder
    if (options.skipQueue === true || !this.#fireAndForget) {
      return handled(this.#run(delivery.deliverNow(record.success)).then(resultOf))
    }
    const acceptance = delivery.acceptNow(record.success)
    if (Result.isFailure(acceptance)) return this.#refused(acceptance.failure)
    if (acceptance.success !== "Wait") return queued
    return handled(
      this.#run(delivery.accept(record.success)).then(
        () => undefined,
        (error: XaseError.XaseError) => {
          this.#callbacks.onRefusal(error)
          throw error
        }
      )
    )
  }

  /** Waits until everything that was accepted before has settled; rejects with `FLUSH_TIMEOUT` after `timeoutMs`. */
  flush(timeoutMs = 5_000): Promise<void> {
    const timeout = XaseConfig.duration(timeoutMs)
    if (Result.isFailure(timeout)) {
      const message = `The timeout of flush ${timeout.failure.join(". ")}`
      return handled(Promise.reject(new XaseError.XaseError(message, "CONFIGURATION_ERROR")))
    }
    return handled(this.#run(this.#recorder.delivery.flush(timeout.success)))
  }

  /**
   * Takes no more decisions, delivers what waits within `shutdownTimeout` (2 s), reports the rest to `onError` and lets go
   * of everything. Never rejects; closing twice closes once.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The books of delivery at this moment. `size` and `processing` are those of the original SDK. */
  getStats(): Stats & { readonly size: number; readonly processing: boolean } {
    const stats = this.#recorder.delivery.stats()
    return { ...stats, size: stats.pending, processing: stats.inFlight > 0 }
  }

  /**
   * Verifies a record with all that this client knows of it, its journal above all, and believes the ledger nothing. With
   * the payload that it should hold, also that the record was made of it.
   */
  verify(transactionId: string, payload?: RecordPayload): Promise<VerifyResult> {
    return handled(
      this.#run(this.#recorder.verify(transactionId, payload)).then(({ ledger, ...verdict }) => ({
        ...verdict,
        ledger: ledger === undefined ? undefined : toVerificationJson(ledger)
      }))
    )
  }

  /** Uses another API key from now on; records that were held because the old one was refused are sent at once. */
  setApiKey(apiKey: string): void {
    orThrow(
      Effect.runSyncExit(
        Effect.flatMap(XaseConfig.apiKeyFrom(apiKey), this.#ledger.setApiKey).pipe(
          Effect.andThen(this.#recorder.delivery.wake)
        )
      )
    )
  }

  async #close(): Promise<void> {
    await this.#run(this.#recorder.delivery.close)
    // A store or a driver that does not answer is left behind: what it holds is reported by now.
    await inTime(this.#runtime.dispose(), this.#shutdownMillis)
    await Effect.runPromise(Scope.close(this.#journal, Exit.void))
    ProcessExit.unregister(this.#exit)
  }

  /**
   * Runs an effect to its promise, which rejects with nothing but `XaseError`. Not on the client's runtime, whose clock does
   * not keep the process alive and whose end would interrupt the call. Whoever awaits the promise does keep it alive.
   */
  async #run<A>(effect: Effect.Effect<A, XaseError.TaggedError>): Promise<A> {
    const alive = setInterval(() => {}, longestInterval)
    const exit = await Effect.runPromiseExit(Effect.provideService(effect, Logger.CurrentLoggers, this.#loggers))
    clearInterval(alive)
    if (Exit.isSuccess(exit)) return exit.value
    throw XaseError.fromCause(exit.cause)
  }

  #refused(error: XaseError.TaggedError): Promise<never> {
    const refusal = XaseError.fromTagged(error)
    this.#callbacks.onRefusal(refusal)
    return handled(Promise.reject(refusal))
  }
}
