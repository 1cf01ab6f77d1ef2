/**
 * A clock whose timers do not keep the process alive.
 *
 * Background delivery in the Promise facade sleeps on it (retries, pauses of the gate), so that a host that has nothing
 * else to do comes to its natural end; `ProcessExit` then gives what waits its last chance. Calls that somebody awaits use
 * the ordinary clock.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** The longest delay that `setTimeout` takes. */
const maxTimerMillis = 2 ** 31 - 1

const sleepMillis = (millis: number): Effect.Effect<void> => {
  if (millis <= 0) return Effect.yieldNow
  if (!Number.isFinite(millis)) return Effect.never
  return Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(sleepRest(millis)), Math.min(millis, maxTimerMillis))
    timer.unref?.()
    return Effect.sync(() => clearTimeout(timer))
  })
}

const sleepRest = (millis: number): Effect.Effect<void> =>
  millis > maxTimerMillis ? sleepMillis(millis - maxTimerMillis) : Effect.void

/** The ordinary clock with unreferenced timers. */
export const layer: Layer.Layer<never> = Layer.effect(
  Clock.Clock,
  Effect.map(Clock.Clock, (clock) => ({
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
    currentTimeMillis: clock.currentTimeMillis,
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
    currentTimeNanos: clock.currentTimeNanos,
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration: Duration.Duration) => sleepMillis(Duration.toMillis(duration))
  }))
)
