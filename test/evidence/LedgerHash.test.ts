import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { write } from "../../src/evidence/CanonicalJson.ts"
import { canonicalForm, hashObject, type JsonObject, recordHash } from "../../src/evidence/LedgerHash.ts"
import { sha256Hex } from "../../src/evidence/Sha256.ts"
import { type Json, jsonObject, seeded } from "../support/arbitraries.ts"
import { hashVectors } from "../support/vectors.ts"

const objects = hashVectors.canonicalization.filter(({ value_json }) => value_json.trimStart().startsWith("{"))

describe("what the public ledger hashes", () => {
  it("is covered by vectors", () => {
    assert.isAtLeast(objects.length, 60)
    assert.isAtLeast(hashVectors.records.length, 9)
  })

  it.each(objects)("$name", ({ canonical, hash, value_json }) => {
    const object: JsonObject = JSON.parse(value_json)
    assert.strictEqual(canonicalForm(object), canonical)
    assert.strictEqual(hashObject(object), hash)
  })
})

describe("the chain", () => {
  it.each(hashVectors.chain)("$name", ({ data, previous_hash, record_hash }) => {
    const parts = { previousHash: previous_hash, inputHash: data, outputHash: "", contextHash: null }
    assert.strictEqual(recordHash(parts), record_hash)
  })

  it.each(hashVectors.records)("record $name", (vector) => {
    const inputHash = hashObject(JSON.parse(vector.input_json))
    const outputHash = hashObject(JSON.parse(vector.output_json))
    const contextHash = vector.context_json === null ? null : hashObject(JSON.parse(vector.context_json))
    assert.deepStrictEqual(
      [inputHash, outputHash, contextHash],
      [vector.input_hash, vector.output_hash, vector.context_hash]
    )
    const previousHash = vector.previous_hash
    assert.strictEqual(recordHash({ previousHash, inputHash, outputHash, contextHash }), vector.record_hash)
  })

  it("links each record to the one before it", () => {
    for (const [index, vector] of hashVectors.records.entries()) {
      assert.strictEqual(vector.previous_hash, hashVectors.records[index - 1]?.record_hash ?? null)
    }
  })

  it("hashes an absent context as nothing, and an empty one", () => {
    const parts = { previousHash: null, inputHash: "i", outputHash: "o" }
    assert.strictEqual(recordHash({ ...parts, contextHash: null }), sha256Hex("io"))
    assert.notStrictEqual(recordHash({ ...parts, contextHash: hashObject({}) }), sha256Hex("io"))
  })

  it("depends on each part and on its place", () => {
    const parts = { previousHash: "p", inputHash: "i", outputHash: "o", contextHash: "c" }
    const hashes = [
      recordHash(parts),
      ...Object.keys(parts).map((part) => recordHash({ ...parts, [part]: "x" })),
      recordHash({ ...parts, inputHash: "o", outputHash: "i" })
    ]
    assert.strictEqual(new Set(hashes).size, hashes.length)
  })
})

/** Other names for keys that look like integers, and for those that begin with an escape (misread by V8 13.6). */
const withPlainKeys = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(withPlainKeys)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      `k${key.replaceAll(/["\\\u0000-\u001f]/g, "_")}`,
      withPlainKeys(member)
    ])
  )
}

it.prop(
  "what the SDK writes is, after the ledger read it, hashed as it was written",
  { object: Arbitrary.map(jsonObject, (value) => withPlainKeys(value) as JsonObject) },
  ({ object }) => {
    const written = write(object, "input")
    if (written._tag !== "Text") return assert.fail()
    assert.strictEqual(canonicalForm(JSON.parse(written.text)), written.text)
    assert.strictEqual(hashObject(JSON.parse(written.text)), `sha256:${sha256Hex(written.text)}`)
  },
  seeded(500)
)
