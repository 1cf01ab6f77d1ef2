/**
 * Counting requests with Effect's rate limiter.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type { RequestCounter } from "./RequestCounter.ts"
import { unavailable } from "./Unavailable.ts"

/** How long a refusal without a window of its own is learned from. */
const fallbackWindow = Duration.hours(1)

/** A counter over a limiter. */
export const fromLimiter = (limiter: RateLimiter.RateLimiter, kind: string): RequestCounter => ({
  take: (name, limit, window) =>
    limiter
      .consume({
        key: name,
        limit,
        // The limiter forgets a part of its count with time. A name stands for one window of the clock, in which nothing may
        // be forgotten: each request makes it remember for a whole window.
        window: Duration.millis(window * limit),
        algorithm: "fixed-window",
        onExceeded: "fail"
      })
      .pipe(
        Effect.map(({ remaining }) => remaining),
        Effect.catch((error) =>
          error.reason._tag === "RateLimitExceeded" ? Effect.succeed(-1) : Effect.fail(unavailable(kind)(error))
        )
      ),
  pause: (name) =>
    limiter.adaptiveConsume({ key: name, tokens: 1, fallbackLimit: 1, fallbackWindow }).pipe(
      Effect.map(({ delay, epoch }) => ({
        milliseconds: Duration.toMillis(delay),
        refused: (later: Duration.Duration) =>
          Effect.mapError(
            limiter.adaptiveFeedback({ key: name, epoch, tokens: 1, status: 429, retryAfter: later }),
            unavailable(kind)
          )
      })),
      Effect.mapError(unavailable(kind))
    )
})

/** A counter in the memory of the process. */
export const memoryCounter: Effect.Effect<RequestCounter> = Effect.map(RateLimiter.make, (limiter) =>
  fromLimiter(limiter, "memory")
).pipe(Effect.provide(RateLimiter.layerStoreMemory))
