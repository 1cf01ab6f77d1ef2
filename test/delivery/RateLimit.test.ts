/**
 * Staying under the ledger's limit, in virtual time and with Effect's own counter in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as RateLimit from "../../src/delivery/RateLimit.ts"
import type { RequestCounter } from "../../src/outbox/RequestCounter.ts"
import { memoryCounter } from "../../src/outbox/RequestCounters.ts"
import { OutboxUnavailable, RateLimitExceeded } from "../../src/XaseError.ts"

const apiKey = `xase_pk_${"k".repeat(32)}`
const hour = Duration.hours(1)

const allowed = (limit: RateLimit.Service, key = apiKey): Effect.Effect<boolean> =>
  Effect.map(Effect.exit(limit.acquire(key)), Exit.isSuccess)

const waitOf = (limit: RateLimit.Service): Effect.Effect<number> =>
  Effect.map(Effect.flip(limit.acquire(apiKey)), (error) => {
    assert.instanceOf(error, RateLimitExceeded)
    return Duration.toMillis((error as RateLimitExceeded).retryAfter)
  }).pipe(Effect.orDie)

const take = Effect.fnUntraced(function* (limit: RateLimit.Service, count: number) {
  for (let n = 0; n < count; n++) assert.isTrue(yield* allowed(limit), `number ${n + 1}`)
})

describe("a limit that is set", () => {
  it.effect("lets so many through in each window of the clock, however they are spread", () =>
    Effect.gen(function* () {
      const limit = RateLimit.make(yield* memoryCounter, { limit: 10, window: hour })
      yield* TestClock.setTime(Duration.toMillis(Duration.minutes(30)))
      yield* take(limit, 4)
      // Longer than the share of one request: a count that drained would let more than ten through.
      yield* TestClock.adjust("20 minutes")
      yield* take(limit, 6)
      assert.isFalse(yield* allowed(limit))
      assert.strictEqual(yield* waitOf(limit), Duration.toMillis(Duration.minutes(10)))
      yield* TestClock.adjust("10 minutes")
      yield* take(limit, 10)
      assert.isFalse(yield* allowed(limit))
    })
  )

  it.effect("is for each key", () =>
    Effect.gen(function* () {
      const limit = RateLimit.make(yield* memoryCounter, { limit: 1, window: hour })
      assert.isTrue(yield* allowed(limit))
      assert.isFalse(yield* allowed(limit))
      assert.isTrue(yield* allowed(limit, `xase_pk_${"j".repeat(32)}`))
    })
  )

  it.effect("is shared by all who share the counter", () =>
    Effect.gen(function* () {
      const counter = yield* memoryCounter
      const clients = [1, 2, 3].map(() => RateLimit.make(counter, { limit: 9, window: hour }))
      for (const client of clients) yield* take(client, 3)
      for (const client of clients) assert.isFalse(yield* allowed(client))
    })
  )
})

describe("what the ledger answers", () => {
  const answered = Effect.fnUntraced(function* (
    limit: RateLimit.Service,
    status: number,
    headers: Record<string, string>,
    later?: Duration.Duration
  ) {
    yield* limit.observe(yield* limit.acquire(apiKey), status, headers, later)
  })

  it.effect("sets a limit where none is set", () =>
    Effect.gen(function* () {
      const limit = RateLimit.make(yield* memoryCounter, undefined)
      yield* take(limit, 50)
      yield* answered(limit, 201, { "x-ratelimit-limit": "5", "x-ratelimit-remaining": "4" })
      yield* take(limit, 5)
      assert.isFalse(yield* allowed(limit))
    })
  )

  it.effect("does not change a limit that is set", () =>
    Effect.gen(function* () {
      const limit = RateLimit.make(yield* memoryCounter, { limit: 3, window: hour })
      yield* answered(limit, 201, { "x-ratelimit-limit": "1000", "x-ratelimit-remaining": "999" })
      yield* take(limit, 2)
      assert.isFalse(yield* allowed(limit))
    })
  )

  it.effect.each(["0", "-1"])("stops all who share the counter when %s are left, until the next window", (left) =>
    Effect.gen(function* () {
      const counter = yield* memoryCounter
      const [one, other] = [RateLimit.make(counter, undefined), RateLimit.make(counter, undefined)]
      yield* TestClock.setTime(Duration.toMillis(Duration.minutes(45)))
      yield* answered(one, 201, { "x-ratelimit-limit": "1000", "x-ratelimit-remaining": left })
      for (const client of [one, other]) assert.isFalse(yield* allowed(client))
      assert.strictEqual(yield* waitOf(other), Duration.toMillis(Duration.minutes(15)))
      yield* TestClock.adjust("15 minutes")
      for (const client of [one, other]) assert.isTrue(yield* allowed(client))
    })
  )

  it.effect("stops all for as long as a refusal says", () =>
    Effect.gen(function* () {
      const counter = yield* memoryCounter
      const [one, other] = [RateLimit.make(counter, undefined), RateLimit.make(counter, undefined)]
      yield* answered(one, 429, {}, Duration.seconds(7))
      assert.strictEqual(yield* waitOf(other), 7_000)
      yield* TestClock.adjust("7 seconds")
      assert.isTrue(yield* allowed(other))
    })
  )

  it.effect.each(["", "many", "1e9999", "5, 5"])("that says %j says nothing", (text) =>
    Effect.gen(function* () {
      const limit = RateLimit.make(yield* memoryCounter, undefined)
      yield* answered(limit, 201, { "x-ratelimit-limit": text, "x-ratelimit-remaining": text })
      yield* take(limit, 20)
    })
  )
})

describe("a counter that cannot be asked", () => {
  it.effect("holds nobody up", () =>
    Effect.gen(function* () {
      const away = new OutboxUnavailable({ outbox: "redis", problem: "gone", fix: "", stored: "no" })
      const counter: RequestCounter = { take: () => Effect.fail(away), pause: () => Effect.fail(away) }
      const limit = RateLimit.make(counter, { limit: 1, window: hour })
      yield* take(limit, 5)
      yield* limit.observe(yield* limit.acquire(apiKey), 429, {}, Duration.seconds(7))
      assert.isTrue(yield* allowed(limit))
    })
  )

  it.effect("is never given the API key", () =>
    Effect.gen(function* () {
      const names: Array<string> = []
      const counter: RequestCounter = {
        take: (name) => Effect.sync(() => names.push(name)),
        pause: (name) =>
          Effect.sync(() => {
            names.push(name)
            return { milliseconds: 0, refused: () => Effect.void }
          })
      }
      yield* RateLimit.make(counter, { limit: 10, window: hour }).acquire(apiKey)
      assert.lengthOf(names, 2)
      for (const name of names) assert.notInclude(name, apiKey.slice(8))
    })
  )
})

describe("a shared count that never answers", () => {
  it.effect("is done without after a second, for asking and for reporting", () =>
    Effect.gen(function* () {
      const silent: RequestCounter = { take: () => Effect.never, pause: () => Effect.never }
      const limit = RateLimit.make(silent, { limit: 1, window: hour })
      const asking = yield* Effect.forkChild(allowed(limit))
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* Fiber.join(asking))
      const pause = { milliseconds: 0, refused: () => Effect.never }
      const reporting = yield* Effect.forkChild(limit.observe({ pause }, 429, {}, Duration.seconds(5)))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(reporting)
    })
  )
})
