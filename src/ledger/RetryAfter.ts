/**
 * Reads every form in which a ledger, or a proxy before it, says "later" (requirement R15).
 */
import * as Duration from "effect/Duration"
import * as Headers from "effect/http/Headers"
import * as Option from "effect/Option"
import * as Result from "effect/Result"

/**
 * How long to wait, counted from `now` (epoch milliseconds), in order of precedence:
 *
 * 1. the header `Retry-After`, as seconds or as an HTTP date;
 * 2. the header `X-RateLimit-Reset`: epoch milliseconds, epoch seconds or seconds from now, told apart by their size;
 * 3. `retry_after` seconds in the body.
 *
 * A date is held against the answer's own `Date` where it has one, so a wrong local clock does no harm; a date in the
 * past means now. What cannot be read is skipped.
 */
export const fromAnswer = (headers: Headers.Headers, body: unknown, now: number): Duration.Duration | undefined => {
  const serverNow = dateOf(headers) ?? now
  return retryAfterHeader(headers, serverNow) ?? rateLimitReset(headers, serverNow) ?? bodySeconds(body)
}

const header = (headers: Headers.Headers, name: string): string | undefined =>
  Option.getOrUndefined(Headers.get(headers, name))

const dateOf = (headers: Headers.Headers): number | undefined => {
  const milliseconds = Date.parse(header(headers, "date") ?? "")
  return Number.isNaN(milliseconds) ? undefined : milliseconds
}

const retryAfterHeader = (headers: Headers.Headers, serverNow: number): Duration.Duration | undefined => {
  const text = header(headers, "retry-after")
  if (text === undefined) return undefined
  const fraction = /^\s*(\d+\.\d+)\s*$/.exec(text)?.[1]
  if (fraction !== undefined) return Duration.seconds(Number(fraction))
  const parsed = Headers.parseRetryAfter(text)
  return Result.isSuccess(parsed) ? Headers.retryAfterDelay(parsed.success, serverNow) : undefined
}

/** Any epoch in milliseconds since 2001 is above this, and no epoch in seconds before the year 33,658. */
const smallestEpochMillis = 1e12
/** Any epoch in seconds since 2001 is above this, and no sensible number of seconds to wait. */
const smallestEpochSeconds = 1e9

const rateLimitReset = (headers: Headers.Headers, serverNow: number): Duration.Duration | undefined => {
  const text = header(headers, "x-ratelimit-reset")?.trim()
  if (text === undefined || !/^\d+(\.\d+)?$/.test(text)) return undefined
  const value = Number(text)
  if (!Number.isFinite(value)) return undefined
  if (value >= smallestEpochMillis) return Duration.millis(Math.max(0, value - serverNow))
  if (value >= smallestEpochSeconds) return Duration.millis(Math.max(0, value * 1_000 - serverNow))
  return Duration.seconds(value)
}

const bodySeconds = (body: unknown): Duration.Duration | undefined => {
  const seconds: unknown = typeof body === "object" && body !== null ? Reflect.get(body, "retry_after") : undefined
  return typeof seconds === "number" && Number.isFinite(seconds) && seconds >= 0 ? Duration.seconds(seconds) : undefined
}
