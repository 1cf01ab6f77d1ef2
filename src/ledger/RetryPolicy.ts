/**
 * When an attempt is repeated, and after how long.
 *
 * One `Schedule` combines exponential backoff, jitter and the time that the ledger names; small predicates say which
 * errors it is for. The gate that pauses the whole delivery is in `DeliveryGate`, the budget that bounds retries across
 * all records in `RetryBudget`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type {
  Forbidden,
  InvalidResponse,
  LedgerError,
  NetworkError,
  QuotaExceeded,
  RateLimitExceeded,
  RequestTimeout,
  ServerError,
  Unauthorized
} from "../XaseError.ts"

/** Errors that may pass by themselves, so that sending again can help. */
export type TransientError = NetworkError | RequestTimeout | ServerError | InvalidResponse

/** Errors that say that no record will be taken until somebody changes something: the key, its permissions, the plan. */
export type BlockingError = Unauthorized | Forbidden | QuotaExceeded

/** What the {@link schedule} looks at. */
export type RetryableError = TransientError | RateLimitExceeded

/** Whether an error passes by itself: no answer, a server error, or a broken answer. */
export const isTransient = (error: LedgerError): error is TransientError =>
  error._tag === "NetworkError" ||
  error._tag === "RequestTimeout" ||
  error._tag === "ServerError" ||
  error._tag === "InvalidResponse"

/** Whether an error stops all records of a key: it is refused, lacks a permission, or its quota is used up. */
export const isBlocking = (error: LedgerError): error is BlockingError =>
  error._tag === "Unauthorized" || error._tag === "Forbidden" || error._tag === "QuotaExceeded"

/** Whether sending the same record again may succeed: a transient error or a rate limit. */
export const isRetryable = (error: LedgerError): error is RetryableError =>
  error._tag === "RateLimitExceeded" || isTransient(error)

const outageStatuses: ReadonlySet<number> = new Set([401, 502, 503, 504])

/**
 * Whether the ledger as a whole seems to be down (refused, reset, timed out, a proxy that finds it gone, its database
 * gone), so that the record is not to blame. A 500 is the record's own until it proves otherwise.
 */
export const isOutage = (error: TransientError): boolean =>
  error._tag === "NetworkError" ||
  error._tag === "RequestTimeout" ||
  (error._tag === "ServerError" && outageStatuses.has(error.status))

/** How long the ledger asked to wait, `undefined` when it did not say. */
export const namedDelay = (error: RetryableError): Duration.Duration | undefined => {
  if (error._tag === "RateLimitExceeded") return error.named ? error.retryAfter : undefined
  return error._tag === "ServerError" ? error.retryAfter : undefined
}

/** Delays before the retries, without jitter: 100 ms, 300 ms, 900 ms, 2.7 s, then 5 s each. */
const baseDelay = Duration.millis(100)
const factor = 3
const cap = Duration.seconds(5)
const jitter = 0.25
const namedJitter = 0.2

/**
 * A backoff with 25 % jitter either way; or the time that the ledger named, plus 0 to 20 % so that a fleet does not wake at
 * once, where that is later. Never earlier than the ledger said, and never at once when it said "now".
 */
const jittered = (backoff: Duration.Duration, named: Duration.Duration | undefined): Effect.Effect<Duration.Duration> =>
  Effect.map(Random.next, (random) => {
    const own = Duration.times(backoff, 1 - jitter + 2 * jitter * random)
    return named === undefined ? own : Duration.max(own, Duration.times(named, 1 + namedJitter * random))
  })

/** What makes the schedule of one record's retries. */
export interface Limits {
  /** Retries after the first attempt; 0 for none. */
  readonly maxRetries: number
  /** A time named by the ledger that is longer than this is not waited for. */
  readonly maxRetryAfter: Duration.Duration
}

/**
 * The retries of one record: exponential from 100 ms by 3 up to 5 s, 25 % jitter either way, `maxRetries` of them. Where the ledger names a later time that time holds, stretched by up to 20 %; one over `maxRetryAfter` ends the
 * retries. A connection that was reset before the first answer, as a stale keep-alive socket is, is retried at once.
 *
 * The schedule's input is the error of the attempt, so it works with `Effect.retry` on anything that fails with one.
 */
export const schedule = ({ maxRetries, maxRetryAfter }: Limits): Schedule.Schedule<unknown, RetryableError> =>
  Schedule.exponential(baseDelay, factor).pipe(
    Schedule.setInputType<RetryableError>(),
    Schedule.while(({ input }) => {
      const named = namedDelay(input)
      return named === undefined || Duration.isLessThanOrEqualTo(named, maxRetryAfter)
    }),
    Schedule.modifyDelay(({ attempt, duration, input }) => {
      const isStaleConnection = attempt === 1 && input._tag === "NetworkError" && input.connectionReset
      return isStaleConnection
        ? Effect.succeed(Duration.zero)
        : jittered(Duration.min(duration, cap), namedDelay(input))
    }),
    Schedule.upTo({ times: maxRetries })
  )

/**
 * How long the whole delivery pauses before its next probe: 1 s doubling up to 30 s with 25 % jitter either way, or the
 * time that the ledger named where that is later. `failures` counts the failed probes so far, from 0; after the first
 * refusal with a named time nothing but that time counts.
 */
export const pause = (failures: number, named?: Duration.Duration): Effect.Effect<Duration.Duration> =>
  jittered(named !== undefined && failures === 0 ? baseDelay : probeBackoff(failures), named)

const probeBackoff = (failures: number): Duration.Duration =>
  Duration.millis(Math.min(1_000 * 2 ** Math.min(failures, 5), 30_000))
