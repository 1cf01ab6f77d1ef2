import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { Receipt, ReceiptFromLedger, receiptIn } from "../../src/contract/Receipt.ts"
import { exchanges, hashVectors } from "../support/vectors.ts"

const wire = {
  transaction_id: "txn_0123456789abcdef0123456789abcdef",
  receipt_url: "https://ledger.example/xase/receipt/txn_0123456789abcdef0123456789abcdef",
  timestamp: "2026-11-23T09:00:00.000Z",
  record_hash: "ab".repeat(32),
  chain_position: "genesis" as const
}

const byCodec = Schema.decodeUnknownEffect(ReceiptFromLedger)

/** Every answer of this file is read in both ways, which must agree. */
const decode = (answer: unknown) =>
  Effect.onExit(byCodec(answer), (exit) =>
    Effect.sync(() => assert.deepStrictEqual(receiptIn(answer), Exit.isSuccess(exit) ? exit.value : undefined))
  )

describe("a receipt", () => {
  it.effect("is read from the ledger's answer and written back as it was", () =>
    Effect.gen(function* () {
      const receipt = yield* decode(wire)
      assert.instanceOf(receipt, Receipt)
      assert.strictEqual(receipt.transactionId, wire.transaction_id)
      assert.strictEqual(receipt.receiptUrl, wire.receipt_url)
      assert.strictEqual(receipt.timestamp, wire.timestamp)
      assert.strictEqual(receipt.recordHash, wire.record_hash)
      assert.strictEqual(receipt.chainPosition, "genesis")
      assert.deepStrictEqual(yield* Schema.encodeEffect(ReceiptFromLedger)(receipt), wire)
    })
  )

  it.effect("ignores fields that it does not know", () =>
    Effect.gen(function* () {
      const answer = JSON.parse(`{"success":true,"new":{"a":1},"__proto__":{"b":2},${JSON.stringify(wire).slice(1)}`)
      const receipt = yield* decode(answer)
      assert.deepStrictEqual(yield* Schema.encodeEffect(ReceiptFromLedger)(receipt), wire)
    })
  )

  const captured = exchanges.filter(
    ({ method, path, status }) => method === "POST" && path.endsWith("/records") && status === 201
  )

  it.effect("is what the public ledger answered, each time that it took a record", () =>
    Effect.gen(function* () {
      assert.isAtLeast(captured.length, 50)
      for (const { response_body } of captured) {
        const { success, ...expected } = response_body as typeof wire & { readonly success: boolean }
        assert.isTrue(success)
        assert.deepStrictEqual(yield* Schema.encodeEffect(ReceiptFromLedger)(yield* decode(response_body)), expected)
      }
    })
  )

  it.effect.each([
    ["transaction_id", "txn_"],
    ["transaction_id", "txn_0123456789ABCDEF0123456789ABCDEF"],
    ["transaction_id", "0123456789abcdef0123456789abcdef"],
    ["transaction_id", `${wire.transaction_id}\n`],
    ["transaction_id", undefined],
    ["receipt_url", null],
    ["timestamp", 1_700_000_000],
    ["record_hash", "AB".repeat(32)],
    ["record_hash", "ab".repeat(31)],
    ["record_hash", `sha256:${"ab".repeat(32)}`],
    ["chain_position", "Genesis"],
    ["chain_position", undefined]
  ] as const)("is none with another %s (R22)", ([field, value]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(decode({ ...wire, [field]: value }))
      assert.include(error.message, field)
    })
  )

  it.effect.each([undefined, null, "", "text", 1, [], {}, [wire]])("is not %j (R22)", (answer) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(decode(answer)))._tag, "SchemaError")
    })
  )

  it.effect.each(hashVectors.validators.isValidTransactionId)(
    "has an id that the ledger finds valid: $v",
    ({ ok, v }) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(decode({ ...wire, transaction_id: v }))
        assert.strictEqual(exit._tag === "Success", ok)
      })
  )
})
