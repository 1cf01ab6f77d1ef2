import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Evidence, ServerError, Xase } from "../src/index.ts"
import { layerTest, RecordedDecisions } from "../src/testing.ts"

const decision = { policy: "credit_policy_v4", input: { score: 720 }, output: { approved: true }, confidence: 0.9 }

describe("layerTest", () => {
  it.effect("shows what was recorded, in order, with receipts of a real chain", () =>
    Effect.gen(function* () {
      const xase = yield* Xase
      yield* xase.record(decision)
      yield* xase.record({ ...decision, transactionId: "loan_1" })
      yield* xase.flush()
      const [first, second] = yield* (yield* RecordedDecisions).all
      assert.deepStrictEqual(first?.input, { score: 720 })
      assert.strictEqual(first?.policyId, "credit_policy_v4")
      assert.strictEqual(first?.body.confidence, 0.9)
      assert.strictEqual(first?.receipt.chainPosition, "genesis")
      assert.strictEqual(second?.previousHash, first?.receipt.recordHash)
      if (second === undefined) return assert.fail()
      assert.strictEqual(
        second.receipt.recordHash,
        Evidence.recordHash({
          previousHash: second.previousHash,
          inputHash: Evidence.hashObject(second.input),
          outputHash: Evidence.hashObject(second.output),
          contextHash: Evidence.hashObject(second.context)
        })
      )
      const verification = yield* xase.verify(second.receipt.transactionId)
      assert.strictEqual(verification.verdict, "valid", verification.sentence)
      assert.strictEqual(verification.ledger?.metadata.confidence, 0.9)
      assert.strictEqual((yield* Effect.flip(xase.verify("txn_0")))._tag, "RecordNotFound")
    }).pipe(Effect.provide(layerTest({ journal: ":memory:" })))
  )

  it.effect("replays a used key and validates like the real client", () =>
    Effect.gen(function* () {
      const xase = yield* Xase
      const first = yield* xase.recordNow({ ...decision, transactionId: "loan_1" })
      const again = yield* xase.recordNow({ ...decision, transactionId: "loan_1" })
      assert.deepStrictEqual(first, again)
      assert.strictEqual((yield* Effect.flip(xase.record({ ...decision, confidence: 2 })))._tag, "ValidationError")
      assert.strictEqual((yield* (yield* RecordedDecisions).all).length, 1)
    }).pipe(Effect.provide(layerTest()))
  )

  it.effect("fails on request", () =>
    Effect.gen(function* () {
      const recorded = yield* RecordedDecisions
      yield* recorded.failNext(new ServerError({ status: 500, reason: "boom" }))
      const error = yield* Effect.flip(Xase.use((xase) => xase.recordNow(decision)))
      assert.strictEqual(error._tag, "MaxRetriesExceeded")
      yield* Xase.use((xase) => xase.recordNow(decision))
      assert.strictEqual((yield* recorded.all).length, 1)
    }).pipe(Effect.provide(layerTest({ maxRetries: 0 })))
  )
})
