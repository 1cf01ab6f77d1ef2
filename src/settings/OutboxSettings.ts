/**
 * Where accepted records wait, as a setting: an address and how it is to be used.
 *
 * An address may carry a password, so it is kept redacted; {@link describe} is the form for people.
 */
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

/** What a durable outbox does when its store cannot be reached: `record` fails, or the decision waits in memory. */
export type UnavailablePolicy = "fail" | "memory"

/**
 * What a stored record survives: a power cut, because the disk has confirmed it (`fsync`), or the end of the process,
 * because the operating system has it (`os`). Only SQLite has the choice; Redis and Postgres have settings of their own.
 */
export type Durability = "fsync" | "os"

/** What a caller may say about the outbox beside its address. */
export interface OutboxOptions<D = Duration.Input, Secret = string | Redacted.Redacted<string>> {
  /** `memory`, `sqlite:` and a path, `redis://...`, `rediss://...`, `postgres://...` or `postgresql://...`. */
  readonly url: Secret
  /** See {@link Durability}. Default `fsync`. */
  readonly durability?: Durability | undefined
  /** See {@link UnavailablePolicy}. Default `fail`. */
  readonly onUnavailable?: UnavailablePolicy | undefined
  /** Whether this client also delivers what it stores, or leaves that to others (`xase relay`). Default true. */
  readonly deliver?: boolean | undefined
  /**
   * How long a record stays with a worker that is not heard of any more before another one takes it; at least 3 s, renewed
   * while the worker lives. Default 30 s.
   */
  readonly lease?: D | undefined
  /**
   * How long the ledger knows an idempotency key. A record that is older is looked up before it is sent. Default 23 h, the
   * ledger's 24 h with a margin for clocks.
   */
  readonly idempotencyWindow?: D | undefined
}

/** A durable outbox, complete and checked. */
export interface DurableSettings {
  readonly kind: "sqlite" | "redis" | "postgres"
  /** A path for SQLite, an address with its password for the others. */
  readonly location: Redacted.Redacted<string>
  readonly durability: Durability
  readonly onUnavailable: UnavailablePolicy
  readonly deliver: boolean
  readonly lease: Duration.Duration
  readonly idempotencyWindow: Duration.Duration
}

/** Where accepted records wait: in memory, which has nothing to set, or durably in SQLite, Redis or Postgres. */
export type OutboxSettings = { readonly kind: "memory" } | DurableSettings

const memory: OutboxSettings = { kind: "memory" }

/** The shortest lease: Postgres and SQLite measure it in whole seconds, and it is renewed three times in its length. */
const minLease = Duration.seconds(3)

type Problem = readonly [problem: string, fix: string]

const addressFix =
  "Use memory, sqlite:./outbox.db, redis://host:6379, rediss://host:6379 or postgres://user:password@host:5432/database."

type Address = Pick<DurableSettings, "kind" | "location">

/** Never quotes the address: it may have a password in it. */
const addressOf = (url: unknown): Result.Result<Address | undefined, Problem> => {
  const text = Redacted.isRedacted(url) ? Redacted.value(url) : url
  if (typeof text !== "string" || text.trim() === "") return Result.fail(["is not an address", addressFix])
  if (text === "memory") return Result.succeed(undefined)
  const at = (kind: DurableSettings["kind"], location: string) =>
    Result.succeed({ kind, location: Redacted.make(location, { label: "outbox" }) })
  if (text.startsWith("sqlite:")) {
    const path = text.slice("sqlite:".length)
    return path === "" || path.includes("\u0000") ? Result.fail(["names no file", addressFix]) : at("sqlite", path)
  }
  if (!URL.canParse(text)) return Result.fail(["is not an address", addressFix])
  switch (new URL(text).protocol) {
    case "redis:":
    case "rediss:":
      return at("redis", text)
    case "postgres:":
    case "postgresql:":
      return at("postgres", text)
    default:
      return Result.fail([`has the protocol ${new URL(text).protocol}, which no outbox speaks`, addressFix])
  }
}

const word = <Word extends string>(
  name: string,
  value: unknown,
  words: ReadonlyArray<Word>,
  fallback: Word
): Result.Result<Word, Problem> => {
  if (value === undefined) return Result.succeed(fallback)
  const found = words.find((known) => known === value)
  return found === undefined
    ? Result.fail([`has ${name} ${JSON.stringify(value)}, which is not known`, `Use one of ${words.join(", ")}.`])
    : Result.succeed(found)
}

/** Reads a duration; from `XaseConfig`, which knows how. */
type ReadDuration = (value: unknown) => Result.Result<Duration.Duration, Problem>

const span = (
  name: string,
  value: unknown,
  read: ReadDuration,
  fallback: Duration.Duration
): Result.Result<Duration.Duration, Problem> =>
  value === undefined
    ? Result.succeed(fallback)
    : Result.mapError(read(value), ([problem, fix]) => [`has a ${name} that ${problem}`, fix] as const)

/** Reads the setting: an address, or options with one. */
export const parse =
  (read: ReadDuration) =>
  (value: unknown): Result.Result<OutboxSettings, Problem> => {
    const isOptions = typeof value === "object" && value !== null && !Redacted.isRedacted(value)
    const option = (name: string): unknown => (isOptions ? Reflect.get(value, name) : undefined)
    return Result.gen(function* () {
      const address = yield* addressOf(isOptions ? option("url") : value)
      if (address === undefined) return memory
      const deliver = option("deliver") ?? true
      if (typeof deliver !== "boolean") {
        return yield* Result.fail(["has a deliver that is not a boolean", "Use true or false."] as const)
      }
      const lease = yield* span("lease", option("lease"), read, Duration.seconds(30))
      if (Duration.isLessThan(lease, minLease)) {
        return yield* Result.fail([
          `has a lease of ${Duration.format(lease)}, which is too short to be renewed in time`,
          "Use 3 seconds or more."
        ] as const)
      }
      return {
        ...address,
        durability: yield* word<Durability>("durability", option("durability"), ["fsync", "os"], "fsync"),
        onUnavailable: yield* word<UnavailablePolicy>(
          "onUnavailable",
          option("onUnavailable"),
          ["fail", "memory"],
          "fail"
        ),
        deliver,
        lease,
        idempotencyWindow: yield* span("idempotencyWindow", option("idempotencyWindow"), read, Duration.hours(23))
      }
    })
  }

/** The outbox without its password. */
export const describe = ({ kind, location }: DurableSettings): string => {
  const text = Redacted.value(location)
  if (kind === "sqlite") return `sqlite:${text}`
  const { hostname, pathname, port, protocol } = new URL(text)
  return `${protocol}//${hostname}${port === "" ? "" : `:${port}`}${pathname}`
}
