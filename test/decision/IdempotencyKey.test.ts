import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { fresh, fromTransactionId, problemOf } from "../../src/decision/IdempotencyKey.ts"
import { constants, seeded, text } from "../support/arbitraries.ts"

describe("a key of the caller's", () => {
  const alphabet = constants("A", "Z", "a", "z", "0", "9", "_", "-")
  it.prop(
    "may have 16 to 64 of its characters",
    { characters: Arbitrary.array(alphabet, { minLength: 16, maxLength: 64 }) },
    ({ characters }) => assert.isUndefined(problemOf(characters.join(""))),
    seeded(100)
  )

  it.each([
    ["", "has 0 characters"],
    ["x".repeat(15), "has 15 characters"],
    ["x".repeat(65), "has 65 characters"],
    [`${"x".repeat(16)}\n`, "has characters that are not allowed"],
    [`${"x".repeat(16)}\r\nX-Api-Key: other`, "has characters that are not allowed"],
    [`${"x".repeat(16)}\u0000`, "has characters that are not allowed"],
    ["é".repeat(16), "has characters that are not allowed"],
    ["١".repeat(16), "has characters that are not allowed"],
    ["two words and more", "has characters that are not allowed"],
    ["dots.dots.dots.dots", "has characters that are not allowed"],
    [undefined, "must be text"],
    [null, "must be text"],
    [1234567890123456, "must be text"],
    [["x".repeat(16)], "must be text"]
  ])("cannot be %j: it %s (R33)", (key, problem) => assert.strictEqual(problemOf(key), problem))

  it.prop(
    "is never quoted when it is refused",
    { key: Schema.String },
    ({ key }) => {
      const problem = problemOf(`${key}\u0000`)
      assert.isTrue(problem !== undefined && /^has (\d+ characters|characters that are not allowed)$/.test(problem))
    },
    seeded(100)
  )
})

describe("the key of a transaction id", () => {
  it.prop(
    "is the start of its SHA-256, so that it is the same over restarts and processes (R18)",
    { transactionId: text },
    ({ transactionId }) => {
      const key = fromTransactionId(transactionId)
      assert.strictEqual(key, createHash("sha256").update(transactionId, "utf8").digest("hex").slice(0, 32))
      assert.isUndefined(problemOf(key))
    },
    seeded(200)
  )

  it("is the one that the original Node SDK made", () => {
    assert.strictEqual(fromTransactionId("abc"), "ba7816bf8f01cfea414140de5dae2223")
  })
})

describe("a fresh key", () => {
  it("is a UUID v4, another one each time", () => {
    const keys = new Set(Array.from({ length: 1_000 }, fresh))
    assert.strictEqual(keys.size, 1_000)
    for (const key of keys) {
      assert.match(key, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      assert.isUndefined(problemOf(key))
    }
  })
})
