/**
 * Reads every form in which a ledger, or a proxy before it, says "later" (requirement R15).
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Headers from "effect/http/Headers"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { AnswerHeaders } from "./Transport.ts"

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
export const fromAnswer = (headers: AnswerHeaders, body: unknown, now: number): Duration.Duration | undefined => {
  const serverNow = dateOf(headers) ?? now
  return retryAfterHeader(headers, serverNow) ?? rateLimitReset(headers, serverNow) ?? bodySeconds(body)
}

/** Only a date of HTTP: `Date.parse` makes the year 2001 of a 5. */
const dateOf = (headers: AnswerHeaders): number | undefined => {
  const parsed = parsedHeader(headers, "date")
  return parsed?._tag === "DateTime" ? DateTime.toEpochMillis(parsed.dateTime) : undefined
}

/** `Date` has the form of a `Retry-After` that is a date. */
const parsedHeader = (headers: AnswerHeaders, name: string): Headers.RetryAfter | undefined =>
  Option.getOrUndefined(Result.getSuccess(Headers.parseRetryAfter(headers[name] ?? "")))

/** More seconds than a number can hold are no time that anybody waits for. */
const secondsFrom = (seconds: number): Duration.Duration | undefined =>
  Number.isFinite(seconds * 1_000) ? Duration.seconds(seconds) : undefined

const retryAfterHeader = (headers: AnswerHeaders, serverNow: number): Duration.Duration | undefined => {
  const fraction = /^\s*(\d+\.\d+)\s*$/.exec(headers["retry-after"] ?? "")?.[1]
  if (fraction !== undefined) return secondsFrom(Number(fraction))
  const parsed = parsedHeader(headers, "retry-after")
  return parsed === undefined ? undefined : Headers.retryAfterDelay(parsed, serverNow)
}

/** Any epoch in milliseconds since 2001 is above this, and no epoch in seconds before the year 33,658. */
const smallestEpochMillis = 1e12
/** Any epoch in seconds since 2001 is above this, and no sensible number of seconds to wait. */
const smallestEpochSeconds = 1e9

const rateLimitReset = (headers: AnswerHeaders, serverNow: number): Duration.Duration | undefined => {
  const text = headers["x-ratelimit-reset"]?.trim()
  if (text === undefined || !/^\d+(\.\d+)?$/.test(text)) return undefined
  const value = Number(text)
  if (!Number.isFinite(value * 1_000)) return undefined
  if (value >= smallestEpochMillis) return Duration.millis(Math.max(0, value - serverNow))
  if (value >= smallestEpochSeconds) return Duration.millis(Math.max(0, value * 1_000 - serverNow))
  return Duration.seconds(value)
}

const bodySeconds = (body: unknown): Duration.Duration | undefined => {
  const seconds: unknown = typeof body === "object" && body !== null ? Reflect.get(body, "retry_after") : undefined
  return typeof seconds === "number" && seconds >= 0 ? secondsFrom(seconds) : undefined
}
