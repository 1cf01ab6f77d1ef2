/**
 * The settings of a client: where each comes from, what it may be, what it is by default.
 *
 * An explicit option wins over its `XASE_*` variable, which wins over the default; an empty variable counts as absent and
 * an explicit zero means zero. A bad value ends in a `ConfigurationError` that names the setting, what is wrong and what
 * is allowed; it never quotes the API key.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Decision } from "../decision/Decision.ts"
import * as Redaction from "../decision/Redaction.ts"
import * as Signer from "../decision/Signer.ts"
import { ConfigurationError } from "../XaseError.ts"
import * as OutboxSettings from "./OutboxSettings.ts"

/** What happens to a decision when the outbox is full. */
export type QueuePolicy = "drop-oldest" | "drop-newest" | "backpressure"

/** What happens to a record when the ledger is down: it keeps its place until the ledger is back, or it fails. */
export type OutagePolicy = "hold" | "fail"

/** A limit of the ledger: so many records in each window of the clock (a window of an hour begins on the hour, UTC). */
export interface RateLimit<D = Duration.Input> {
  readonly limit: number
  /** Default 1 hour. */
  readonly window?: D | undefined
}

/** A {@link RateLimit}, complete and checked. */
export interface RateLimitSettings {
  readonly limit: number
  readonly window: Duration.Duration
}

/** What a caller may set. Durations are a number of milliseconds or text such as `"3 seconds"`. */
export interface Options {
  /** The key that the ledger issued: `xase_pk_` or `xase_` and 24 to 128 characters. `XASE_API_KEY`. Required. */
  readonly apiKey?: string | Redacted.Redacted<string> | undefined
  /** Where the ledger is. `XASE_BASE_URL`. Default `http://localhost:3000/api/xase/v1`. */
  readonly baseUrl?: string | undefined
  /** Allows `http://` to a host that is not this machine: the key and the payloads then travel in clear. Default false. */
  readonly allowInsecure?: boolean | undefined
  /** The deadline of one attempt, from DNS to the last byte of the answer. `XASE_TIMEOUT`. Default 3 s. */
  readonly timeout?: Duration.Input | undefined
  /** How often a failed attempt is repeated. `XASE_MAX_RETRIES`. Default 3. */
  readonly maxRetries?: number | undefined
  /** How long `recordNow` waits when the ledger names a time; longer ones fail at once. Default 60 s. */
  readonly maxRetryAfter?: Duration.Input | undefined
  /** See {@link OutagePolicy}. Default `hold`. */
  readonly outage?: OutagePolicy | undefined
  /** How many records wait at most. `XASE_QUEUE_MAX_SIZE`. Default 10,000. */
  readonly queueMaxSize?: number | undefined
  /** How many bytes of JSON wait at most. Default 64 MiB. */
  readonly queueMaxBytes?: number | undefined
  /** See {@link QueuePolicy}. `XASE_QUEUE_POLICY`. Default `drop-oldest`. */
  readonly queuePolicy?: QueuePolicy | undefined
  /** The largest record in bytes of JSON. Default 1 MiB. */
  readonly maxRecordBytes?: number | undefined
  /**
   * How many requests are in flight at once. `XASE_CONCURRENCY`. Default 1: records reach the ledger in order, and the
   * public ledger, which forks its chain under parallel posts, keeps it a line.
   */
  readonly concurrency?: number | undefined
  /** How long closing waits for records that are still on their way. `XASE_SHUTDOWN_TIMEOUT`. Default 2 s. */
  readonly shutdownTimeout?: Duration.Input | undefined
  /** Recorded as `context.env`. `XASE_ENV`, else `NODE_ENV`, else `development`. */
  readonly environment?: string | undefined
  /** Whether facts about the process are merged under the caller's context. Default true. */
  readonly runtimeContext?: boolean | undefined
  /**
   * Whether each record carries a commitment, which binds the whole decision and links it to the producer's one before.
   * Default true.
   */
  readonly commitments?: boolean | undefined
  /** The customer's own key (Ed25519), which signs each commitment before it is sent. Default none. */
  readonly signer?: Signer.SignerOptions | undefined
  /**
   * A file in which the client notes hashes and receipts of what it sent (never payloads), or `:memory:`. `XASE_JOURNAL`.
   * Default none.
   */
  readonly journal?: string | undefined
  /**
   * Where accepted records wait: `memory`, `sqlite:./outbox.db`, `redis://...`, `postgres://...`, or options with such a
   * `url`. In a durable one `record` succeeds once the record is stored, and it survives the process. `XASE_OUTBOX`.
   * Default `memory`.
   */
  readonly outbox?: string | OutboxSettings.OutboxOptions | undefined
  /**
   * How many records the ledger takes in a window of the clock for this key, so that nobody sends more. Clients that share
   * a Redis outbox share the count. Default: what the ledger itself says, with a Redis outbox; else none.
   */
  readonly rateLimit?: RateLimit | undefined
  /** More request headers. Those of authentication, idempotency and content cannot be replaced. */
  readonly headers?: { readonly [name: string]: string } | undefined
  /**
   * What to hide before a decision becomes evidence: paths such as `input.applicant.ssn` or `context.*.email`, or a
   * function that returns another decision and must not mutate the one it gets. If the function throws, the decision is
   * refused and nothing is sent.
   */
  readonly redact?: ReadonlyArray<string> | ((decision: Decision) => Decision) | undefined
}

/** The settings of a client, complete and checked. */
export interface Settings {
  readonly apiKey: Redacted.Redacted<string>
  /** Without a trailing slash. */
  readonly baseUrl: string
  readonly timeout: Duration.Duration
  readonly maxRetries: number
  readonly maxRetryAfter: Duration.Duration
  readonly outage: OutagePolicy
  readonly queueMaxSize: number
  readonly queueMaxBytes: number
  readonly queuePolicy: QueuePolicy
  readonly maxRecordBytes: number
  readonly concurrency: number
  readonly shutdownTimeout: Duration.Duration
  readonly environment: string
  readonly runtimeContext: boolean
  readonly commitments: boolean
  readonly signer: Signer.Signer | undefined
  readonly journal: string | undefined
  readonly outbox: OutboxSettings.OutboxSettings
  readonly rateLimit: RateLimitSettings | undefined
  readonly headers: { readonly [name: string]: string }
  readonly redactions: Redaction.Redactions
  readonly redact: ((decision: Decision) => Decision) | undefined
}

/** The settings as a service. */
export class XaseConfig extends Context.Service<XaseConfig, Settings>()("xase-sdk/XaseConfig") {}

/** Settings from `options`, then from the environment (Effect's `ConfigProvider`), then the defaults. */
export const make = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<Settings, ConfigurationError> {
  const setting = settingReader(options)
  const queueMaxSize = yield* setting("queueMaxSize", "XASE_QUEUE_MAX_SIZE", integerFrom(1), 10_000)
  const maxRecordBytes = yield* setting("maxRecordBytes", undefined, integerFrom(1), 1024 * 1024)
  const queueMaxBytes = yield* setting("queueMaxBytes", undefined, integerFrom(1), 64 * 1024 * 1024)
  if (queueMaxBytes < maxRecordBytes) {
    return yield* new ConfigurationError({
      setting: "queueMaxBytes",
      problem: `is ${queueMaxBytes}, less than maxRecordBytes (${maxRecordBytes})`,
      fix: "A full outbox must hold at least one record: raise queueMaxBytes or lower maxRecordBytes."
    })
  }
  const allowInsecure = yield* setting("allowInsecure", undefined, boolean, false)
  const apiKey = yield* setting("apiKey", "XASE_API_KEY", secretKey, undefined)
  if (apiKey === undefined) {
    return yield* new ConfigurationError({
      setting: "apiKey (XASE_API_KEY)",
      problem: "is missing",
      fix: "Set XASE_API_KEY to the key that the ledger issued, or pass apiKey."
    })
  }
  const redact = options.redact
  const timeout = yield* setting("timeout", "XASE_TIMEOUT", positiveDuration, Duration.seconds(3))
  const commitments = yield* setting("commitments", undefined, boolean, true)
  if (!commitments && options.signer !== undefined) {
    return yield* new ConfigurationError({
      setting: "signer",
      problem: "is given, but commitments is false",
      fix: "What a signer signs is the commitment: leave commitments on, or the signer away."
    })
  }
  return {
    apiKey,
    baseUrl: yield* setting("baseUrl", "XASE_BASE_URL", ledgerUrl(allowInsecure), "http://localhost:3000/api/xase/v1"),
    timeout,
    maxRetries: yield* setting("maxRetries", "XASE_MAX_RETRIES", integerFrom(0), 3),
    maxRetryAfter: yield* setting("maxRetryAfter", undefined, duration, Duration.minutes(1)),
    outage: yield* setting("outage", undefined, oneOf<OutagePolicy>("hold", "fail"), "hold"),
    queueMaxSize,
    queueMaxBytes,
    queuePolicy: yield* setting(
      "queuePolicy",
      "XASE_QUEUE_POLICY",
      oneOf<QueuePolicy>("drop-oldest", "drop-newest", "backpressure"),
      "drop-oldest"
    ),
    maxRecordBytes,
    concurrency: yield* setting("concurrency", "XASE_CONCURRENCY", integerFrom(1, maxConcurrency), 1),
    shutdownTimeout: yield* setting("shutdownTimeout", "XASE_SHUTDOWN_TIMEOUT", duration, Duration.seconds(2)),
    environment: yield* setting("environment", "XASE_ENV", name, yield* nodeEnvironment),
    runtimeContext: yield* setting("runtimeContext", undefined, boolean, true),
    commitments,
    signer: options.signer === undefined ? undefined : yield* Signer.make(options.signer, timeout),
    journal: yield* setting("journal", "XASE_JOURNAL", name, undefined),
    outbox: yield* setting("outbox", "XASE_OUTBOX", OutboxSettings.parse(positiveDuration), { kind: "memory" }),
    rateLimit: yield* setting("rateLimit", undefined, rateLimit, undefined),
    headers: yield* setting("headers", undefined, ownHeaders, {}),
    redactions: typeof redact === "function" ? {} : yield* setting("redact", undefined, redactionPaths, {}),
    redact: typeof redact === "function" ? redact : undefined
  }
})

/** {@link make} as a layer. */
export const layer = (options: Options = {}): Layer.Layer<XaseConfig, ConfigurationError> =>
  Layer.effect(XaseConfig, make(options))

/**
 * Reads one boolean setting by the same rules, for settings that only one face of the SDK has (`fireAndForget`).
 */
export const booleanSetting = (
  setting: string,
  variable: string,
  value: unknown,
  fallback: boolean
): Effect.Effect<boolean, ConfigurationError> =>
  settingReader({ [setting]: value })(setting, variable, boolean, fallback)

/** Checks an API key and wraps it, so that it is not shown. */
export const apiKeyFrom = (
  value: string | Redacted.Redacted<string>
): Effect.Effect<Redacted.Redacted<string>, ConfigurationError> =>
  Effect.mapError(
    Effect.fromResult(secretKey(value)),
    ([problem, fix]) => new ConfigurationError({ setting: "apiKey", problem, fix })
  )

/** A parser says what is wrong with a value in words that follow the setting's name, and what would be right. */
export type Parser<A> = (value: unknown) => Result.Result<A, readonly [problem: string, fix: string]>

const settingReader =
  (options: { readonly [name: string]: unknown } | Options) =>
  <A, const B>(
    setting: string,
    variable: string | undefined,
    parse: Parser<A>,
    fallback: B
  ): Effect.Effect<A | B, ConfigurationError> => {
    const read = (value: unknown, name: string): Effect.Effect<A | B, ConfigurationError> =>
      Effect.fromResult(
        Result.mapError(parse(value), ([problem, fix]) => new ConfigurationError({ setting: name, problem, fix }))
      )
    const explicit: unknown = Reflect.get(options, setting)
    if (explicit !== undefined) return read(explicit, setting)
    if (variable === undefined) return Effect.succeed(fallback)
    return Effect.flatMap(
      environmentVariable(variable),
      (value): Effect.Effect<A | B, ConfigurationError> =>
        value === undefined ? Effect.succeed(fallback) : read(value, `${setting} (${variable})`)
    )
  }

const environmentVariable = (variable: string): Effect.Effect<string | undefined, ConfigurationError> =>
  Config.option(Config.String(variable)).pipe(
    Effect.map((value) => (Option.isSome(value) && value.value.trim() !== "" ? value.value : undefined)),
    Effect.mapError(
      () => new ConfigurationError({ setting: variable, problem: "could not be read", fix: "Set it to a single text." })
    )
  )

const nodeEnvironment = Effect.map(environmentVariable("NODE_ENV"), (value) => value ?? "development")

// Also where a key does not belong: a pair of variables that was swapped must not show it.
const withoutKeys = (text: string): string => text.replace(/xase_[A-Za-z0-9_-]+/g, "xase_...")

const bad = (problem: string, fix: string) => Result.fail([withoutKeys(problem), fix] as const)

const shown = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value)
  return typeof value === "object" || typeof value === "function" ? `of type ${kindOf(value)}` : String(value)
}

const kindOf = (value: object | null): string =>
  Array.isArray(value) ? "array" : value === null ? "null" : typeof value

/** More requests in flight than this help no ledger, and each one costs a fiber and a socket. */
const maxConcurrency = 1_024

const integerFrom =
  (minimum: number, maximum = Number.MAX_SAFE_INTEGER): Parser<number> =>
  (value) => {
    const limit = maximum === Number.MAX_SAFE_INTEGER ? "" : ` and at most ${maximum}`
    const number = typeof value === "string" && /^\d+$/.test(value.trim()) ? Number(value) : value
    return typeof number === "number" && Number.isSafeInteger(number) && number >= minimum && number <= maximum
      ? Result.succeed(number)
      : bad(
          `is ${shown(value)}, which is not a whole number from ${minimum}${limit}`,
          `Use a whole number of at least ${minimum}${limit}.`
        )
  }

const boolean: Parser<boolean> = (value) => {
  if (value === true || value === "true" || value === "1") return Result.succeed(true)
  if (value === false || value === "false" || value === "0") return Result.succeed(false)
  return bad(`is ${shown(value)}, which is not a boolean`, "Use true or false.")
}

const oneOf =
  <Word extends string>(...words: ReadonlyArray<Word>): Parser<Word> =>
  (value) => {
    const found = words.find((word) => word === value)
    return found === undefined
      ? bad(`is ${shown(value)}, which is not known`, `Use one of ${words.join(", ")}.`)
      : Result.succeed(found)
  }

const durationFix = 'Use milliseconds (3000) or text such as "3 seconds".'

/** Reads a duration, which may be zero. */
export const duration: Parser<Duration.Duration> = (value) => {
  const milliseconds = typeof value === "string" && /^\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : value
  const parsed = isDurationInput(milliseconds) ? Duration.fromInput(milliseconds) : Option.none()
  return Option.isSome(parsed) && Duration.isFinite(parsed.value) && !Duration.isNegative(parsed.value)
    ? Result.succeed(parsed.value)
    : bad(`is ${shown(value)}, which is not a duration`, durationFix)
}

const durationUnits: ReadonlySet<string> = new Set([
  "weeks",
  "days",
  "hours",
  "minutes",
  "seconds",
  "milliseconds",
  "microseconds",
  "nanoseconds"
])

// `Duration.fromInput` answers none for text and pairs that are no duration, but zero for NaN and unknown units.
const isDurationInput = (value: unknown): value is Duration.Input => {
  if (typeof value === "number") return !Number.isNaN(value)
  if (typeof value === "string" || typeof value === "bigint" || Duration.isDuration(value)) return true
  if (Array.isArray(value)) return value.length === 2 && value.every((part) => Number.isFinite(part))
  if (typeof value !== "object" || value === null) return false
  const parts = Object.entries(value)
  return (
    parts.length > 0 &&
    parts.every(([unit, amount]) => durationUnits.has(unit) && (amount === undefined || Number.isFinite(amount)))
  )
}

/** Reads a duration that is not zero: a number of milliseconds, text such as `"3 seconds"`, a `Duration`. */
export const positiveDuration: Parser<Duration.Duration> = (value) =>
  Result.flatMap(duration(value), (parsed) =>
    Duration.isZero(parsed)
      ? bad("is zero, so that no request could ever be answered", durationFix)
      : Result.succeed(parsed)
  )

const rateLimit: Parser<RateLimitSettings> = (value) => {
  if (typeof value !== "object" || value === null) {
    return bad("is not an object", 'Use { limit: 1000, window: "1 hour" }.')
  }
  const part = (name: string): unknown => Reflect.get(value, name)
  return Result.gen(function* () {
    const limit = yield* Result.mapError(
      integerFrom(1)(part("limit")),
      ([problem, fix]) => [`has a limit that ${problem}`, fix] as const
    )
    const window = part("window") ?? Duration.hours(1)
    return {
      limit,
      window: yield* Result.mapError(
        positiveDuration(window),
        ([problem, fix]) => [`has a window that ${problem}`, fix] as const
      )
    }
  })
}

const name: Parser<string> = (value) =>
  typeof value === "string" && value !== "" && value.isWellFormed() && !value.includes("\u0000")
    ? Result.succeed(value)
    : bad("is not a name", "Use text that is not empty, without NUL characters or lone surrogates.")

const keyForm = /^xase_(pk_)?[A-Za-z0-9_-]{24,128}$/

const secretKey: Parser<Redacted.Redacted<string>> = (value) => {
  const key = Redacted.isRedacted(value) ? Redacted.value(value) : value
  if (typeof key !== "string" || key === "") return bad("is missing", "Pass the key that the ledger issued.")
  if (keyForm.test(key)) return Result.succeed(Redacted.make(key, { label: "XASE_API_KEY" }))
  const problem = /^[\x21-\x7e]*$/.test(key)
    ? `does not look like an API key (it has ${key.length} characters)`
    : "has characters that no API key has (white space, line breaks or non-ASCII)"
  return bad(
    problem,
    "A key is xase_pk_ or xase_ and 24 to 128 of A-Z a-z 0-9 _ -. Copy it again, without quotes or spaces."
  )
}

const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)

const ledgerUrl =
  (allowInsecure: boolean): Parser<string> =>
  (value) => {
    const fix = "Use the address of the ledger, such as https://ledger.example.com/api/xase/v1."
    if (typeof value !== "string" || !URL.canParse(value)) return bad(`is ${shown(value)}, which is not a URL`, fix)
    const url = new URL(value)
    if (url.username !== "" || url.password !== "") {
      return bad("has a user name or password in it", "The API key alone authenticates: remove the part before the @.")
    }
    if (url.search !== "" || url.hash !== "") return bad("has a query or a fragment", fix)
    if (url.protocol !== "https:" && url.protocol !== "http:") return bad(`has the protocol ${url.protocol}`, fix)
    if (url.protocol === "http:" && !allowInsecure && !isLoopback(url.hostname)) {
      return bad(
        `is http:// to ${url.hostname}, so that the API key and the payloads would travel in clear`,
        "Use https://, or set allowInsecure: true if the network itself is private."
      )
    }
    // The ledger redirects trailing and doubled slashes, and redirects are never followed.
    return Result.succeed(`${url.origin}${url.pathname.replace(/\/{2,}/g, "/").replace(/\/$/, "")}`)
  }

/** Headers that carry the key, the idempotency key, the body or the connection. */
const reservedHeaders: ReadonlySet<string> = new Set([
  "x-api-key",
  "authorization",
  "idempotency-key",
  "content-type",
  "content-length",
  "content-encoding",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "upgrade",
  "host",
  "cookie",
  "expect"
])

const ownHeaders: Parser<{ readonly [name: string]: string }> = (value) => {
  const fix = "Use names of letters, digits and hyphens, and values of printable ASCII."
  if (typeof value !== "object" || value === null || Symbol.iterator in value) {
    return bad("is not an object of names and values", fix)
  }
  const headers: Record<string, string> = {}
  for (const [name, text] of Object.entries(value)) {
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) return bad(`has a name that no header may have`, fix)
    const lower = name.toLowerCase()
    if (reservedHeaders.has(lower)) return bad(`has ${lower}, which only the SDK sets`, "Remove it.")
    if (typeof text !== "string" || !/^[\x20-\x7e]*$/.test(text)) {
      return bad(`has a value of ${lower} with characters that no header may have`, fix)
    }
    headers[lower] = text
  }
  return Result.succeed(headers)
}

const redactionPaths: Parser<Redaction.Redactions> = (value) => {
  const fix = 'Use paths such as "input.applicant.ssn", or a function.'
  return Array.isArray(value) && value.every((path) => typeof path === "string")
    ? Result.mapError(Redaction.compile(value), (problem) => [`is wrong: ${withoutKeys(problem)}`, fix] as const)
    : bad("is neither a list of paths nor a function", fix)
}
