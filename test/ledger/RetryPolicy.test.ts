import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Random } from "effect"
import { TestClock } from "effect/testing"
import * as RetryPolicy from "../../src/ledger/RetryPolicy.ts"
import {
  Forbidden,
  IdempotencyConflict,
  InvalidIdempotencyKey,
  InvalidResponse,
  type LedgerError,
  NetworkError,
  QuotaExceeded,
  RateLimitExceeded,
  RecordNotFound,
  RequestFailed,
  RequestTimeout,
  ServerError,
  Unauthorized,
  ValidationError
} from "../../src/XaseError.ts"

const refused = new NetworkError({ reason: "ECONNREFUSED", connectionReset: false })
const reset = new NetworkError({ reason: "ECONNRESET", connectionReset: true })
const server = (status: number) => new ServerError({ status, reason: "boom" })
const serverAfter = (seconds: number) =>
  new ServerError({ status: 503, reason: "b", retryAfter: Duration.seconds(seconds) })
const limited = (seconds: number, named = true) =>
  new RateLimitExceeded({ retryAfter: Duration.seconds(seconds), named })
const timedOut = new RequestTimeout({ timeout: Duration.seconds(3) })
const invalid = new InvalidResponse({ status: 201, problem: "p" })

/** A `Random` whose every answer is the same. */
const randomly = (fraction: number) =>
  Effect.provideService(Random.Random, { nextDoubleUnsafe: () => fraction, nextIntUnsafe: () => 0 })

const extremes = [0, 0.25, 0.5, 0.75, 1 - Number.EPSILON]

const limits: RetryPolicy.Limits = { maxRetries: 3, maxRetryAfter: Duration.seconds(60) }

/** The gaps in whole milliseconds between the attempts of something that fails with `errors`, one after the other. */
const gaps = Effect.fnUntraced(function* (
  errors: ReadonlyArray<RetryPolicy.RetryableError>,
  over: Partial<RetryPolicy.Limits> = {}
) {
  const at: Array<number> = []
  const attempt = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    at.push(now)
    return Effect.fail(errors[Math.min(at.length, errors.length) - 1] ?? refused)
  })
  const fiber = yield* Effect.forkChild(Effect.retry(attempt, RetryPolicy.schedule({ ...limits, ...over })))
  yield* TestClock.adjust("365 days")
  assert.isDefined(fiber.pollUnsafe())
  yield* Effect.flip(Fiber.join(fiber))
  return at.slice(1).map((time, index) => Math.round(time - (at[index] ?? 0)))
})

const near = (actual: number, expected: number, below: number, above: number): void => {
  assert.isAtLeast(actual, Math.floor(expected * (1 - below)))
  assert.isAtMost(actual, Math.ceil(expected * (1 + above)))
}

describe("the schedule", () => {
  it.effect("waits 100, 300 and 900 ms, then gives up", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* gaps([refused]), [100, 300, 900])
    }).pipe(randomly(0.5))
  )

  it.effect.each(extremes)("stays within 25 % of that, at %s of the jitter", (fraction) =>
    Effect.gen(function* () {
      const [first, second, third, ...more] = yield* gaps([refused])
      const factor = 0.75 + 0.5 * fraction
      assert.deepStrictEqual(more, [])
      for (const [actual, expected] of [
        [first, 100],
        [second, 300],
        [third, 900]
      ] as const) {
        near(actual ?? 0, expected, 0.25, 0.25)
        near(actual ?? 0, expected * factor, 0.02, 0.02)
      }
    }).pipe(randomly(fraction))
  )

  it.effect("draws its jitter anew for each retry, from Effect's Random", () =>
    Effect.gen(function* () {
      const one = yield* gaps([refused], { maxRetries: 10 }).pipe(Random.withSeed("a"))
      const same = yield* gaps([refused], { maxRetries: 10 }).pipe(Random.withSeed("a"))
      const other = yield* gaps([refused], { maxRetries: 10 }).pipe(Random.withSeed("b"))
      assert.deepStrictEqual(one, same)
      assert.notDeepEqual(one, other)
      const late = one.slice(5)
      assert.strictEqual(new Set(late).size, late.length)
    })
  )

  it.effect("is never more than 5 s apart, but for the jitter", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* gaps([refused], { maxRetries: 8 }).pipe(randomly(0.5)),
        [100, 300, 900, 2_700, 5_000, 5_000, 5_000, 5_000]
      )
      const long = yield* gaps([refused], { maxRetries: 1_000 }).pipe(randomly(1))
      assert.strictEqual(long.length, 1_000)
      assert.isTrue(long.every((gap) => gap <= 6_250))
    })
  )

  it.effect.each([0, 1, 3])("retries %s times when told so (R26)", (maxRetries) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* gaps([refused], { maxRetries })).length, maxRetries)
      assert.strictEqual((yield* gaps([limited(1)], { maxRetries })).length, maxRetries)
      assert.strictEqual((yield* gaps([reset], { maxRetries })).length, maxRetries)
    })
  )

  it.effect("retries at once after a reset of a stale connection, and then no longer (R19)", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* gaps([reset]), [0, 300, 900])
      assert.deepStrictEqual(yield* gaps([refused, reset, reset]), [100, 300, 900])
    }).pipe(randomly(0.5))
  )
})

describe("a time that the ledger names", () => {
  it.effect.each(extremes)("holds, and is stretched by up to 20 %, at %s of the jitter (R16)", (fraction) =>
    Effect.gen(function* () {
      for (const error of [limited(7), serverAfter(7)]) {
        for (const gap of yield* gaps([error])) {
          near(gap, 7_000, 0, 0.2)
          near(gap, 7_000 * (1 + 0.2 * fraction), 0, 0.01)
        }
      }
    }).pipe(randomly(fraction))
  )

  it.effect("never shortens the backoff: now does not mean at once", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* gaps([limited(0)]), [100, 300, 900])
      assert.deepStrictEqual(yield* gaps([serverAfter(0.2)]), [220, 300, 900])
    }).pipe(randomly(0.5))
  )

  it.effect("of another attempt does not linger", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* gaps([limited(10), refused, limited(10)]), [11_000, 300, 11_000])
    }).pipe(randomly(0.5))
  )

  it.effect("that is longer than maxRetryAfter ends the retries", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* gaps([limited(60)]), [60_000, 60_000, 60_000])
      assert.deepStrictEqual(yield* gaps([limited(60.001)]), [])
      assert.deepStrictEqual(yield* gaps([serverAfter(86_400)]), [])
      assert.deepStrictEqual(yield* gaps([refused, limited(61)]), [75])
      assert.deepStrictEqual(yield* gaps([limited(1)], { maxRetryAfter: Duration.zero }), [])
      assert.deepStrictEqual(yield* gaps([limited(0)], { maxRetryAfter: Duration.zero }), [75, 225, 675])
    }).pipe(randomly(0))
  )

  it.effect("is none when the SDK made it up", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* gaps([limited(100, false)]), [100, 300, 900])
    }).pipe(randomly(0.5))
  )
})

describe("the pause of the whole delivery", () => {
  const pauses = (named?: Duration.Duration) =>
    Effect.forEach([0, 1, 2, 3, 4, 5, 6, 60, 1e9], (failures) =>
      Effect.map(RetryPolicy.pause(failures, named), Duration.toMillis)
    )

  it.effect("is 1 s, doubling up to 30 s", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* pauses(), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000])
    }).pipe(randomly(0.5))
  )

  it.effect("is only the time that the ledger named after the first refusal, then the later of both", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* pauses(Duration.seconds(3)),
        [3_000, 3_000, 3_000, 6_000, 12_000, 22_500, 22_500, 22_500, 22_500]
      )
      const [first] = yield* pauses(Duration.zero)
      assert.strictEqual(first, 75)
    }).pipe(randomly(0))
  )

  it.effect.each(extremes)(
    "is within 25 %, a named one never earlier and at most 20 %% later, at %s of the jitter",
    (fraction) =>
      Effect.gen(function* () {
        for (const [index, pause] of (yield* pauses()).entries()) {
          near(pause, [1_000, 2_000, 4_000, 8_000, 16_000][index] ?? 30_000, 0.25, 0.25)
        }
        near(Duration.toMillis(yield* RetryPolicy.pause(0, Duration.days(1))), 86_400_000, 0, 0.2)
      }).pipe(randomly(fraction))
  )
})

describe("which errors", () => {
  const table: ReadonlyArray<
    readonly [LedgerError, kind: "transient" | "limited" | "blocking" | "final", isOutage: boolean]
  > = [
    [refused, "transient", true],
    [reset, "transient", true],
    [timedOut, "transient", true],
    [invalid, "transient", false],
    [server(500), "transient", false],
    [server(501), "transient", false],
    [server(502), "transient", true],
    [server(503), "transient", true],
    [server(504), "transient", true],
    [server(401), "transient", true],
    [server(408), "transient", false],
    [server(425), "transient", false],
    [limited(1), "limited", false],
    [new Unauthorized({ reason: "r" }), "blocking", false],
    [new Forbidden({}), "blocking", false],
    [new QuotaExceeded({ usage: {} }), "blocking", false],
    [new ValidationError({ issues: [], statusCode: 400 }), "final", false],
    [new InvalidIdempotencyKey({ problem: "p" }), "final", false],
    [new IdempotencyConflict({ idempotencyKey: "k" }), "final", false],
    [new RecordNotFound({}), "final", false],
    [new RequestFailed({ status: 413, body: "" }), "final", false]
  ]

  it.each(table)("%s is %s, outage: %s", (error, kind, isOutage) => {
    assert.strictEqual(RetryPolicy.isTransient(error), kind === "transient")
    assert.strictEqual(RetryPolicy.isRetryable(error), kind === "transient" || kind === "limited")
    assert.strictEqual(RetryPolicy.isBlocking(error), kind === "blocking")
    if (RetryPolicy.isTransient(error)) assert.strictEqual(RetryPolicy.isOutage(error), isOutage)
  })
})
