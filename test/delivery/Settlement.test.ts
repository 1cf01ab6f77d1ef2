import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Schema } from "effect"
import { Receipt } from "../../src/contract/Receipt.ts"
import * as Outcome from "../../src/delivery/Outcome.ts"
import { make, type Accounts as Settlement } from "../../src/delivery/Settlement.ts"
import {
  MaxRetriesExceeded,
  NetworkError,
  RateLimitExceeded,
  RequestFailed,
  ValidationError
} from "../../src/XaseError.ts"
import { record } from "../support/records.ts"

const receipt = new Receipt({
  transactionId: `txn_${"0".repeat(32)}`,
  receiptUrl: "http://127.0.0.1/receipt",
  timestamp: "2026-11-23T09:00:00.000Z",
  recordHash: "ab".repeat(32),
  chainPosition: "chained"
})

const lastError = new NetworkError({ reason: "ECONNRESET", connectionReset: true })

describe("after a record settled, another decision under its key (R31)", () => {
  const first = record({ idempotencyKey: "loan_1", fingerprint: "a" })
  const other = record({ idempotencyKey: "loan_1", fingerprint: "b" })

  const outcomes: ReadonlyArray<readonly [what: string, outcome: Outcome.Outcome, standing: string]> = [
    ["delivered", Outcome.delivered(first, receipt), "conflict"],
    [
      "lost on the way",
      Outcome.failed(first, new MaxRetriesExceeded({ attempts: 4, lastError, kept: false })),
      "conflict"
    ],
    ["dropped while it was sent", Outcome.dropped(first, "Interrupted", true), "conflict"],
    ["refused", Outcome.failed(first, new ValidationError({ issues: [], statusCode: 400 })), "new"],
    ["too large", Outcome.failed(first, new RequestFailed({ status: 413, body: "" })), "new"],
    [
      "turned away",
      Outcome.failed(first, new RateLimitExceeded({ retryAfter: Duration.seconds(1), named: true })),
      "new"
    ],
    ["dropped from the outbox", Outcome.dropped(first, "QueueFull", false), "new"]
  ]

  it.effect.each(outcomes)("%s", ([, outcome, standing]) =>
    Effect.gen(function* () {
      const accounts = yield* make
      accounts.enter(first)
      assert.strictEqual(accounts.standingOf(other), "conflict")
      accounts.settle(first, outcome)
      assert.strictEqual(accounts.standingOf(other), standing)
    })
  )
})

const steps = ["enter", "keep", "claim", "adopt", "release", "settle", "hand over"] as const

describe("records in a durable outbox", () => {
  const sums = (accounts: Settlement) => {
    const { accepted, adopted, delivered, dropped, failed, stored } = accounts.counts()
    const lost = dropped.QueueFull + dropped.Shutdown + dropped.Interrupted
    return { rest: accepted + adopted - delivered - failed - lost - stored, unsettled: accounts.unsettled() }
  }

  it.effect("are handed over only while they wait there: neither those in flight here nor those in memory", () =>
    Effect.gen(function* () {
      const accounts = yield* make
      const [waiting, inFlight, inMemory] = [record(), record(), record()]
      for (const each of [waiting, inFlight, inMemory]) accounts.enter(each)
      accounts.keep(waiting)
      accounts.keep(inFlight)
      assert.isTrue(accounts.claim(inFlight))
      const flushing = yield* Effect.forkChild(accounts.flush(Duration.seconds(10)), { startImmediately: true })
      accounts.handOverUpTo(accounts.lastSequence())
      assert.include(accounts.counts(), { accepted: 3, stored: 1 })
      for (const each of [inFlight, inMemory]) {
        assert.isUndefined(flushing.pollUnsafe())
        accounts.settle(each, Outcome.delivered(each, receipt))
      }
      yield* Fiber.join(flushing)
      assert.deepStrictEqual(sums(accounts), { rest: 0, unsettled: 0 })
    })
  )

  it.effect("that were handed over and come back are those of others", () =>
    Effect.gen(function* () {
      const accounts = yield* make
      const own = record()
      accounts.enter(own)
      accounts.keep(own)
      accounts.handOver(own)
      const again = record({ idempotencyKey: own.idempotencyKey })
      assert.isFalse(accounts.claim(again))
      accounts.adopt(again)
      accounts.settle(again, Outcome.delivered(again, receipt))
      assert.include(accounts.counts(), { accepted: 1, adopted: 1, stored: 1, delivered: 1 })
      assert.deepStrictEqual(sums(accounts), { rest: 0, unsettled: 0 })
    })
  )

  it.effect.prop(
    "no count is ever negative, whatever becomes of a record and in whatever order",
    [
      Schema.Array(
        Schema.Tuple([Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })), Schema.Literals(steps)])
      )
    ],
    ([moves]) =>
      Effect.gen(function* () {
        const accounts = yield* make
        const records = Array.from({ length: 6 }, () => record())
        const places = records.map((): Place => "outside")
        for (const [index, step] of moves) {
          const each = records[index]
          const place = places[index]
          if (each === undefined || place === undefined) continue
          places[index] = moved(accounts, each, place, step) ?? place
          const { rest, unsettled } = sums(accounts)
          assert.strictEqual(rest, unsettled)
          assert.strictEqual(unsettled, places.filter((where) => where !== "outside" && where !== "gone").length)
        }
      })
  )
})

type Place = "outside" | "memory" | "kept" | "in flight" | "adopted" | "gone"

/** Makes one move that is possible at this place, and says where the record is then. */
const moved = (
  accounts: Settlement,
  each: ReturnType<typeof record>,
  place: Place,
  step: (typeof steps)[number]
): Place | undefined => {
  if (place === "outside" && step === "enter") {
    accounts.enter(each)
    return "memory"
  }
  if (place === "memory" && step === "keep") {
    accounts.keep(each)
    return "kept"
  }
  if (place === "kept" && step === "claim") return accounts.claim(each) ? "in flight" : undefined
  if (place === "kept" && step === "hand over") {
    accounts.handOver(each)
    return "gone"
  }
  if (place === "outside" && step === "adopt") {
    accounts.adopt(each)
    return "adopted"
  }
  if (place === "in flight" && step === "release") {
    accounts.release(each)
    return "kept"
  }
  if (place === "adopted" && step === "release") {
    accounts.release(each)
    return "gone"
  }
  if ((place === "memory" || place === "in flight" || place === "adopted") && step === "settle") {
    accounts.settle(each, Outcome.delivered(each, receipt))
    return "gone"
  }
  return undefined
}
