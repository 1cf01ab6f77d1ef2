import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { VerificationFromLedger, type VerificationJson } from "../../src/contract/LedgerClaim.ts"
import { exchanges } from "../support/vectors.ts"

const captured = exchanges
  .filter(({ method, path, status }) => method === "GET" && path.includes("/verify/txn_") && status === 200)
  .map(({ response_body }) => response_body as VerificationJson)

const decode = Schema.decodeUnknownEffect(VerificationFromLedger)
const encode = Schema.encodeEffect(VerificationFromLedger)

describe("a verification", () => {
  it.effect("is what the public ledger answered, each time, and is written back as it was", () =>
    Effect.gen(function* () {
      assert.isAtLeast(captured.length, 20)
      for (const answer of captured) {
        const known = yield* encode(yield* decode(answer))
        assert.deepStrictEqual({ ...answer, ...known }, answer)
      }
    })
  )

  it.effect("has friendly names at every level", () =>
    Effect.gen(function* () {
      const [first] = captured
      if (first === undefined) return assert.fail()
      const chain = { ...first.chain, has_next: true, next_transaction_id: "txn_next" }
      const answer: VerificationJson = { ...first, chain }
      const verification = yield* decode(answer)
      assert.strictEqual(verification.transactionId, answer.transaction_id)
      assert.strictEqual(verification.isValid, answer.is_valid)
      assert.strictEqual(verification.verifiedAt, answer.verified_at)
      assert.strictEqual(verification.checks.inputHash, answer.verification.input_hash)
      assert.strictEqual(verification.checks.payloadAvailable, answer.verification.payload_available)
      assert.strictEqual(verification.metadata.policy, answer.metadata.policy_id)
      assert.strictEqual(verification.metadata.processingTime, answer.metadata.processing_time)
      assert.strictEqual(verification.chain.previousHash, answer.chain.previous_hash)
      assert.strictEqual(verification.chain.nextTransactionId, answer.chain.next_transaction_id)
    })
  )

  it.effect("may be of a record that was tampered with, and of the first one of a chain", () =>
    Effect.gen(function* () {
      const [answer] = captured
      const chain = { ...answer?.chain, previous_hash: null, is_genesis: true }
      const verification = yield* decode({ ...answer, status: "TAMPERED", is_valid: false, chain })
      assert.deepStrictEqual([verification.status, verification.isValid], ["TAMPERED", false])
      assert.isNull(verification.chain.previousHash)
    })
  )

  it.effect.each([
    { status: "OK" },
    { is_valid: "true" },
    { verification: {} },
    { chain: null },
    { metadata: undefined },
    { verified_at: undefined }
  ])("is none with %j (R22)", (spoilt) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(decode({ ...captured[0], ...spoilt }))
      assert.include(error.message, Object.keys(spoilt).join())
    })
  )
})
