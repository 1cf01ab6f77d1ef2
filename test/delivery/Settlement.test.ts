import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { Receipt } from "../../src/contract/Receipt.ts"
import * as Outcome from "../../src/delivery/Outcome.ts"
import { make } from "../../src/delivery/Settlement.ts"
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
