/**
 * Delivery in virtual time, against a ledger that is a function.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Layer, Random, Result, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Receipt } from "../../src/contract/Receipt.ts"
import * as LedgerRecord from "../../src/decision/DecisionRecord.ts"
import { Delivery, layer } from "../../src/delivery/Delivery.ts"
import * as Journal from "../../src/delivery/Journal.ts"
import type { Outcome } from "../../src/delivery/Outcome.ts"
import { CurrentObserver } from "../../src/delivery/Settlement.ts"
import { Ledger } from "../../src/ledger/Ledger.ts"
import * as Outbox from "../../src/outbox/MemoryOutbox.ts"
import { RecordStore } from "../../src/outbox/RecordStore.ts"
import * as XaseConfig from "../../src/settings/XaseConfig.ts"
import {
  type LedgerError,
  NetworkError,
  RateLimitExceeded,
  ServerError,
  Unauthorized,
  ValidationError
} from "../../src/XaseError.ts"
import { apiKey } from "../support/Faces.ts"

const encoding: LedgerRecord.Encoding = {
  runtimeContext: {},
  redactions: {},
  redact: undefined,
  maxRecordBytes: 1_000_000,
  evidenceBytes: 0
}

const recordOf = (n: number, transactionId?: string): LedgerRecord.LedgerRecord =>
  Result.getOrThrow(
    LedgerRecord.make(
      { policy: "p", input: { n }, output: {}, transactionId },
      { now: 0, span: undefined, idempotencyKey: undefined, timeout: undefined },
      encoding
    )
  )

const numberOf = (record: LedgerRecord.LedgerRecord): number => JSON.parse(record.body).input.n

const receipt = new Receipt({
  transactionId: `txn_${"0".repeat(32)}`,
  receiptUrl: "http://127.0.0.1/receipt",
  timestamp: "2026-11-23T09:00:00.000Z",
  recordHash: "ab".repeat(32),
  chainPosition: "chained"
})

type Answer = Effect.Effect<Receipt, LedgerError>

const ok: Answer = Effect.succeed(receipt)
const down: Answer = Effect.fail(new NetworkError({ reason: "ECONNREFUSED", connectionReset: false }))
const serverError: Answer = Effect.fail(new ServerError({ status: 500, reason: "boom" }))
const limited = (seconds: number): Answer =>
  Effect.fail(new RateLimitExceeded({ retryAfter: Duration.seconds(seconds), named: true }))

/** A delivery whose attempts are noted with the virtual milliseconds at which they start. */
const setUp = Effect.fnUntraced(function* (
  answer: (record: LedgerRecord.LedgerRecord, attempt: number) => Answer,
  options: XaseConfig.Options = {}
) {
  const attempts: Array<readonly [at: number, n: number]> = []
  const outcomes: Array<Outcome> = []
  const alerts: Array<string> = []
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Effect.forkDetach(Scope.close(scope, Exit.void)))
  const ledger = Layer.succeed(Ledger, {
    append: (record) =>
      Effect.flatMap(Clock.currentTimeMillis, (at) => {
        attempts.push([at, numberOf(record)])
        return answer(record, attempts.length)
      }),
    verify: () => Effect.never,
    list: () => Effect.never,
    setApiKey: () => Effect.void
  })
  const context = yield* Layer.buildWithScope(
    layer.pipe(
      Layer.provide([ledger, Outbox.layerMemory, Layer.succeed(RecordStore, undefined), Journal.layer]),
      Layer.provide([
        XaseConfig.layer({ apiKey, ...options }),
        Layer.succeed(CurrentObserver, {
          onOutcome: (outcome) => outcomes.push(outcome),
          onAlert: (alert) => alerts.push(alert._tag)
        })
      ])
    ),
    scope
  )
  const delivery = yield* Effect.provide(Delivery, context)
  return { delivery, attempts, outcomes, alerts, scope }
})

/** The middle of every jitter, so that times can be stated. */
const withoutJitter = Effect.provideService(Random.Random, {
  nextDoubleUnsafe: () => 0.5,
  nextIntUnsafe: () => 0
})

const gaps = (attempts: ReadonlyArray<readonly [at: number, n: number]>): ReadonlyArray<number> =>
  attempts.slice(1).map(([at], index) => at - (attempts[index]?.[0] ?? 0))

describe("a queued record", () => {
  it.effect("is tried at 0, 100, 400 and 1,300 ms, then fails with the number of attempts", () =>
    Effect.gen(function* () {
      const { attempts, delivery, outcomes } = yield* setUp(() => serverError)
      yield* delivery.accept(recordOf(1))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(
        attempts.map(([at]) => at),
        [0, 100, 400, 1_300]
      )
      const [outcome] = outcomes
      assert.strictEqual(outcome?._tag, "Failed")
      if (outcome?._tag !== "Failed" || outcome.error._tag !== "MaxRetriesExceeded") return assert.fail()
      assert.deepStrictEqual([outcome.error.attempts, outcome.error.kept], [4, false])
    }).pipe(withoutJitter)
  )

  it.effect("keeps its place through an outage; probes slow down to one in 30 s; one alert", () =>
    Effect.gen(function* () {
      const { alerts, attempts, delivery, outcomes } = yield* setUp((_, attempt) => (attempt <= 12 ? down : ok))
      yield* delivery.accept(recordOf(1))
      yield* delivery.accept(recordOf(2))
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(
        gaps(attempts).slice(0, 12),
        [100, 300, 900, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]
      )
      assert.deepStrictEqual(
        attempts.map(([, n]) => n),
        [...Array(13).fill(1), 2]
      )
      assert.deepStrictEqual(alerts, ["MaxRetriesExceeded"])
      assert.deepStrictEqual(
        outcomes.map((outcome) => outcome._tag),
        ["Delivered", "Delivered"]
      )
    }).pipe(withoutJitter)
  )

  it.effect("waits for as long as the ledger names, a day too, without a single request (R16)", () =>
    Effect.gen(function* () {
      const { attempts, delivery } = yield* setUp((_, attempt) => (attempt === 1 ? limited(86_400) : ok))
      yield* delivery.accept(recordOf(1))
      yield* TestClock.adjust("23 hours")
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual(attempts.length, 1)
      yield* TestClock.adjust("3 hours")
      assert.deepStrictEqual(gaps(attempts), [95_040_000])
    }).pipe(withoutJitter)
  )

  it.effect("a ledger that says 'now' again and again is not hammered", () =>
    Effect.gen(function* () {
      const { attempts, delivery } = yield* setUp(() => limited(0))
      yield* delivery.accept(recordOf(1))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(gaps(attempts).slice(0, 5), [100, 2_000, 4_000, 8_000, 16_000])
    }).pipe(withoutJitter)
  )

  it.effect("a 429 without a time never loses the record (R14)", () =>
    Effect.gen(function* () {
      const unnamed: Answer = Effect.fail(new RateLimitExceeded({ retryAfter: Duration.seconds(1), named: false }))
      const { delivery, outcomes } = yield* setUp((_, attempt) => (attempt <= 20 ? unnamed : ok))
      yield* delivery.accept(recordOf(1))
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(
        outcomes.map((outcome) => outcome._tag),
        ["Delivered"]
      )
    })
  )

  it.effect('with outage: "fail" a 429 without a time fails after its retries, as RateLimitExceeded', () =>
    Effect.gen(function* () {
      const unnamed: Answer = Effect.fail(new RateLimitExceeded({ retryAfter: Duration.seconds(1), named: false }))
      const { delivery, outcomes } = yield* setUp(() => unnamed, { outage: "fail" })
      yield* delivery.accept(recordOf(1))
      yield* TestClock.adjust("10 minutes")
      const [outcome] = outcomes
      assert.strictEqual(outcome?._tag === "Failed" ? outcome.error._tag : outcome?._tag, "RateLimitExceeded")
    })
  )

  it.effect(
    "a ledger that fails every record with 500 is the ledger's fault once the retry budget is used up (R17)",
    () =>
      Effect.gen(function* () {
        const { alerts, attempts, delivery, outcomes } = yield* setUp((_, attempt) =>
          attempt <= 40 ? serverError : ok
        )
        for (let n = 0; n < 20; n++) yield* delivery.accept(recordOf(n))
        yield* TestClock.adjust("1 hour")
        const failed = outcomes.filter((outcome) => outcome._tag === "Failed").length
        // Seven records of three retries each use up the budget of 20; the next one holds the rest back.
        assert.isAtMost(failed, 12)
        assert.strictEqual(outcomes.length, 20)
        assert.isAbove(alerts.length, 0)
        assert.isAtMost(attempts.length, 60)
      })
  )

  it.effect("a defect of the client under it is a failed attempt, and delivery lives on", () =>
    Effect.gen(function* () {
      const { delivery, outcomes } = yield* setUp((_, attempt) =>
        attempt === 1 ? Effect.die(new TypeError("bug")) : ok
      )
      yield* delivery.accept(recordOf(1))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(outcomes[0]?._tag, "Delivered")
    })
  )
})

describe("a ledger that refuses the key", () => {
  it.effect("is probed with growing pauses; a good answer lets all flow in order", () =>
    Effect.gen(function* () {
      const { alerts, attempts, delivery, outcomes } = yield* setUp((_, attempt) =>
        attempt <= 5 ? Effect.fail(new Unauthorized({ reason: "Invalid API key" })) : ok
      )
      for (let n = 0; n < 3; n++) yield* delivery.accept(recordOf(n))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(gaps(attempts).slice(0, 5), [1_000, 2_000, 4_000, 8_000, 16_000])
      assert.deepStrictEqual(alerts, ["Unauthorized"])
      assert.deepStrictEqual(
        attempts.slice(5).map(([, n]) => n),
        [0, 1, 2]
      )
      assert.strictEqual(outcomes.length, 3)
    }).pipe(withoutJitter)
  )

  it.effect("a final answer to a probe shows that the ledger is back", () =>
    Effect.gen(function* () {
      const { delivery, outcomes } = yield* setUp((record, attempt) => {
        if (attempt === 1) return Effect.fail(new Unauthorized({ reason: "Invalid API key" }))
        return numberOf(record) === 0 ? Effect.fail(new ValidationError({ issues: [], statusCode: 400 })) : ok
      })
      for (let n = 0; n < 3; n++) yield* delivery.accept(recordOf(n))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(
        outcomes.map((outcome) => outcome._tag),
        ["Failed", "Delivered", "Delivered"]
      )
    })
  )
})

describe("a caller who waits", () => {
  it.effect("waits for a time up to maxRetryAfter and refuses a longer one", () =>
    Effect.gen(function* () {
      const { attempts, delivery } = yield* setUp((_, attempt) => (attempt === 1 ? limited(50) : limited(61)))
      const waiting = yield* Effect.forkChild(Effect.flip(delivery.deliverNow(recordOf(1))))
      yield* TestClock.adjust("49 seconds")
      assert.strictEqual(attempts.length, 1)
      yield* TestClock.adjust("12 seconds")
      const error = yield* Fiber.join(waiting)
      if (error._tag !== "RateLimitExceeded") return assert.fail(error._tag)
      assert.strictEqual(Duration.toSeconds(error.retryAfter), 61)
    })
  )

  it.effect("is tried again after a 429 without a time", () =>
    Effect.gen(function* () {
      const unnamed: Answer = Effect.fail(new RateLimitExceeded({ retryAfter: Duration.seconds(1), named: false }))
      const { attempts, delivery } = yield* setUp((_, attempt) => (attempt === 1 ? unnamed : ok))
      const waiting = yield* Effect.forkChild(delivery.deliverNow(recordOf(1)))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(waiting)).transactionId, receipt.transactionId)
      assert.strictEqual(attempts.length, 2)
    })
  )

  it.effect("in an outage makes one attempt of its own, which opens the gate when it succeeds", () =>
    Effect.gen(function* () {
      let isUp = false
      const { attempts, delivery } = yield* setUp(() => (isUp ? ok : down), { maxRetries: 0 })
      yield* delivery.accept(recordOf(1))
      yield* TestClock.adjust("100 millis")
      const before = attempts.length
      const error = yield* Effect.flip(delivery.deliverNow(recordOf(2)))
      assert.strictEqual(error._tag, "MaxRetriesExceeded")
      assert.strictEqual(attempts.length, before + 1)
      isUp = true
      yield* delivery.deliverNow(recordOf(3))
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([delivery.stats().state, delivery.stats().delivered], ["flowing", 2])
    })
  )
})

describe("flush and closing", () => {
  it.effect("flush gives up at its deadline and says what remains", () =>
    Effect.gen(function* () {
      const { delivery } = yield* setUp(() => Effect.never)
      for (let n = 0; n < 3; n++) yield* delivery.accept(recordOf(n))
      const flushing = yield* Effect.forkChild(Effect.flip(delivery.flush(Duration.seconds(5))))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(flushing.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(flushing)).remaining, 3)
    })
  )

  it.effect("closing ends at shutdownTimeout, settles each record once and stops its workers", () =>
    Effect.gen(function* () {
      const { attempts, delivery, outcomes, scope } = yield* setUp(() => Effect.never, {
        shutdownTimeout: "2 seconds",
        concurrency: 2
      })
      for (let n = 0; n < 5; n++) yield* delivery.accept(recordOf(n))
      yield* TestClock.adjust(1)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust(2)
      yield* Fiber.join(closing)
      assert.deepStrictEqual(
        outcomes.map((outcome) => outcome._tag === "Dropped" && [outcome.reason, outcome.started]),
        [
          ["Shutdown", true],
          ["Shutdown", true],
          ["Shutdown", false],
          ["Shutdown", false],
          ["Shutdown", false]
        ]
      )
      assert.strictEqual(attempts.length, 2)
      assert.strictEqual((yield* Effect.flip(delivery.accept(recordOf(9))))._tag, "QueueClosed")
    })
  )

  it.effect("closing respects a time that the ledger named", () =>
    Effect.gen(function* () {
      const { attempts, delivery, outcomes, scope } = yield* setUp(() => limited(3_600))
      yield* delivery.accept(recordOf(1))
      yield* TestClock.adjust(1)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(closing)
      assert.strictEqual(attempts.length, 1)
      assert.strictEqual(outcomes[0]?._tag, "Dropped")
    })
  )
})

describe("a caller who waits for a receipt while the client closes", () => {
  it.effect("gets the receipt that comes within the shutdown time", () =>
    Effect.gen(function* () {
      const { delivery } = yield* setUp(() => Effect.delay(ok, "1 second"))
      const waiting = yield* Effect.forkChild(Effect.exit(delivery.deliverNow(recordOf(1))), { startImmediately: true })
      const closing = yield* Effect.forkChild(delivery.close, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      assert.deepStrictEqual(yield* Fiber.join(waiting), Exit.succeed(receipt))
      assert.include(delivery.stats(), { accepted: 1, delivered: 1, pending: 0, inFlight: 0 })
    })
  )

  it.effect("gets QueueClosed when none comes in time", () =>
    Effect.gen(function* () {
      const { delivery } = yield* setUp(() => Effect.never)
      const waiting = yield* Effect.forkChild(Effect.flip(delivery.deliverNow(recordOf(1))), { startImmediately: true })
      const closing = yield* Effect.forkChild(delivery.close, { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(closing)
      assert.deepInclude(yield* Fiber.join(waiting), { _tag: "QueueClosed", started: true })
    })
  )
})

describe("a caller who joined the same decision", () => {
  it.effect("hears after a minute that it is still under way", () =>
    Effect.gen(function* () {
      const { delivery } = yield* setUp(() => down)
      yield* delivery.accept(recordOf(1, "loan-1"))
      const waiting = yield* Effect.forkChild(Effect.flip(delivery.deliverNow(recordOf(1, "loan-1"))), {
        startImmediately: true
      })
      yield* TestClock.adjust("59 seconds")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(waiting), { _tag: "MaxRetriesExceeded", kept: true })
    })
  )
})

describe("a client that only waits for receipts, after a refused key", () => {
  it.effect("tries again when the pause is over, and at once when it is woken", () =>
    Effect.gen(function* () {
      let answer: Answer = Effect.fail(new Unauthorized({ reason: "Invalid API key" }))
      const { attempts, delivery } = yield* setUp(() => answer)
      for (const n of [1, 2])
        assert.strictEqual((yield* Effect.flip(delivery.deliverNow(recordOf(n))))._tag, "Unauthorized")
      assert.strictEqual(attempts.length, 1, "within the pause the second one is not sent")
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Effect.flip(delivery.deliverNow(recordOf(3))))._tag, "Unauthorized")
      assert.strictEqual(attempts.length, 2)
      answer = ok
      yield* delivery.wake
      assert.strictEqual(yield* delivery.deliverNow(recordOf(4)), receipt)
      assert.strictEqual(delivery.stats().state, "flowing")
    })
  )
})
