import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { byteLength } from "../../src/evidence/Utf8.ts"
import { oneOf, seeded, text } from "../support/arbitraries.ts"

const anyText = oneOf(text, Arbitrary.schema(Schema.String))

const reference = (value: string): number => new TextEncoder().encode(value).byteLength

afterEach(() => vi.unstubAllGlobals())

describe("the length in UTF-8", () => {
  it.each([
    ["", 0],
    ["abc", 3],
    ["é", 2],
    ["€", 3],
    ["\u{1f600}", 4],
    ["\u0000", 1],
    ["\ud800", 3]
  ])("of %j is %s bytes", (value, bytes) => assert.strictEqual(byteLength(value), bytes))

  it.prop(
    "is what TextEncoder makes",
    { anyText },
    ({ anyText }) => assert.strictEqual(byteLength(anyText), reference(anyText)),
    seeded(300)
  )

  it("is the same where there is no Buffer", async () => {
    vi.resetModules()
    const fresh = await import("../../src/evidence/Utf8.ts")
    const samples = ["", "abc", "é€\u{1f600}", "\ud800"]
    vi.stubGlobal("Buffer", undefined)
    const lengths = samples.map(fresh.byteLength)
    vi.unstubAllGlobals()
    assert.deepStrictEqual(lengths, samples.map(reference))
  })
})
