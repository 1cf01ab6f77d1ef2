/**
 * Keeps everybody who uses one API key under the ledger's limit, before the ledger has to refuse.
 *
 * The ledger counts records by the clock (an hour begins on the hour, UTC), so that is how they are counted here: by all
 * clients of one Redis outbox together, or else by this client alone. What the ledger answers is believed more than the own
 * count: when it has none left, because others use the key too, or refuses one, all clients stop for as long as it says.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { sha256Hex } from "../evidence/Sha256.ts"
import * as RetryAfter from "../ledger/RetryAfter.ts"
import { type AnswerHeaders, parseJson, Transport } from "../ledger/Transport.ts"
import { RecordStore } from "../outbox/RecordStore.ts"
import type { Pause, RequestCounter } from "../outbox/RequestCounter.ts"
import { type RateLimitSettings, XaseConfig } from "../settings/XaseConfig.ts"
import { type OutboxUnavailable, RateLimitExceeded } from "../XaseError.ts"

/** The permission to send one record. */
export interface Permit {
  /** To tell all others of an answer; `undefined` when the counter could not be asked. */
  readonly pause: Pause | undefined
}

/** Gives permission to send records under a limit, and learns from what the ledger answers. */
export interface Service {
  /** The permission to send one record with an API key now; fails with the time until there is one again. */
  readonly acquire: (apiKey: string) => Effect.Effect<Permit, RateLimitExceeded>
  /** What the ledger answered. `later` is the time that a 429 names. */
  readonly observe: (
    permit: Permit,
    status: number,
    headers: AnswerHeaders,
    later: Duration.Duration | undefined
  ) => Effect.Effect<void>
}

/** A shared count that answers later than this is done without. */
const counterTimeout = Duration.seconds(1)

/** The ledger's own window, as long as nothing else is said (ledger contract). */
const ledgerWindow = Duration.hours(1)

const countIn = (headers: AnswerHeaders, name: string): number | undefined => {
  const text = headers[name]?.trim()
  return text !== undefined && /^-?\d{1,9}$/.test(text) ? Number(text) : undefined
}

/** Counts with `counter`, up to the configured limit or, without one, the limit that the ledger names. */
export const make = (counter: RequestCounter, configured: RateLimitSettings | undefined): Service => {
  const window = Duration.toMillis(configured?.window ?? ledgerWindow)
  let limit = configured?.limit
  let apiKeyOfHash: string | undefined
  let hash = ""

  /** The key itself goes nowhere. */
  const hashOf = (apiKey: string): string => {
    if (apiKey !== apiKeyOfHash) {
      apiKeyOfHash = apiKey
      hash = sha256Hex(apiKey).slice(0, 32)
    }
    return hash
  }

  const windowAt = (now: number): number => Math.floor(now / window)
  const untilNextWindow = (now: number): Duration.Duration => Duration.millis((windowAt(now) + 1) * window - now)

  const take = (key: string, now: number): Effect.Effect<number | undefined, OutboxUnavailable> =>
    limit === undefined ? Effect.undefined : counter.take(`${key}:${windowAt(now)}`, limit, window)

  const later = (retryAfter: Duration.Duration): RateLimitExceeded => new RateLimitExceeded({ retryAfter, named: true })

  const orElse =
    <B>(value: B) =>
    <A>(effect: Effect.Effect<A, OutboxUnavailable>): Effect.Effect<A | B> =>
      Effect.catch(effect, () => Effect.succeed(value)).pipe(
        Effect.timeoutOrElse({ duration: counterTimeout, orElse: () => Effect.succeed(value) })
      )
  const ignored = (effect: Effect.Effect<void, OutboxUnavailable>): Effect.Effect<void> =>
    Effect.asVoid(orElse(undefined)(effect))

  return {
    acquire: (apiKey) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const key = hashOf(apiKey)
        // A count that gives no answer holds no record up: the ledger still has its own.
        const counts = Effect.all(
          [take(key, now).pipe(orElse(undefined)), counter.pause(key).pipe(orElse(undefined))],
          { concurrency: 2 }
        )
        return Effect.flatMap(counts, ([remaining, pause]): Effect.Effect<Permit, RateLimitExceeded> => {
          if (pause !== undefined && pause.milliseconds > 0)
            return Effect.fail(later(Duration.millis(pause.milliseconds)))
          if (remaining !== undefined && remaining < 0) return Effect.fail(later(untilNextWindow(now)))
          return Effect.succeed({ pause })
        })
      }),
    observe: ({ pause }, status, headers, named) => {
      if (configured === undefined) limit = countIn(headers, "x-ratelimit-limit") ?? limit
      if (pause === undefined) return Effect.void
      if (status === 429) return named === undefined ? Effect.void : ignored(pause.refused(named))
      if ((countIn(headers, "x-ratelimit-remaining") ?? 1) > 0) return Effect.void
      return Effect.flatMap(Clock.currentTimeMillis, (now) => ignored(pause.refused(untilNextWindow(now))))
    }
  }
}

/** The limit of the settings: shared where the outbox counts for all, kept alone where a limit is set, else none. */
const fromSettings = Effect.gen(function* () {
  const { outbox, rateLimit } = yield* XaseConfig
  const store = yield* RecordStore
  if (outbox.kind === "redis" && store !== undefined) return make(store.counter, rateLimit)
  if (rateLimit === undefined) return undefined
  const counter = yield* Effect.cached(
    Effect.flatMap(
      Effect.promise(() => import("../outbox/RequestCounters.ts")),
      ({ memoryCounter }) => memoryCounter
    )
  )
  return make(
    {
      take: (...request) => Effect.flatMap(counter, ({ take }) => take(...request)),
      pause: (name) => Effect.flatMap(counter, ({ pause }) => pause(name))
    },
    rateLimit
  )
})

/** Sends appends under the limit, and tells the limit what the ledger answered; everything else goes through. */
const limited =
  (limit: Service, inner: Transport["Service"], recordsUrl: string): Transport["Service"]["send"] =>
  (request) => {
    if (request.method !== "POST" || request.url !== recordsUrl) return inner.send(request)
    return Effect.flatMap(limit.acquire(request.headers["x-api-key"] ?? ""), (permit) =>
      Effect.tap(inner.send(request), ({ headers, status, text }) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          limit.observe(
            permit,
            status,
            headers,
            status === 429 ? RetryAfter.fromAnswer(headers, parseJson(text), now) : undefined
          )
        )
      )
    )
  }

/** A transport that keeps the rate limit of the settings; the transport itself where there is none. */
export const layer: Layer.Layer<Transport, never, Transport | XaseConfig | RecordStore> = Layer.effect(
  Transport,
  Effect.gen(function* () {
    const inner = yield* Transport
    const limit = yield* fromSettings
    const { baseUrl } = yield* XaseConfig
    return limit === undefined ? inner : Transport.of({ send: limited(limit, inner, `${baseUrl}/records`) })
  })
)
