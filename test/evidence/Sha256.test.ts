import { createHash } from "node:crypto"
import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { sha256Hex } from "../../src/evidence/Sha256.ts"
import { oneOf, seeded, text } from "../support/arbitraries.ts"

const reference = (value: string): string => createHash("sha256").update(value, "utf8").digest("hex")

// Also text with lone surrogates, which UTF-8 replaces.
const anyText = oneOf(text, Arbitrary.schema(Schema.String))

const lengths = [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 1_000_000]

describe("on Node", () => {
  it.prop(
    "is what node:crypto says",
    { anyText },
    ({ anyText }) => assert.strictEqual(sha256Hex(anyText), reference(anyText)),
    seeded(300)
  )

  it.each(lengths)("with %s characters", (length) => {
    assert.strictEqual(sha256Hex("é".repeat(length)), reference("é".repeat(length)))
  })
})

describe("where there is no node:crypto", () => {
  let portable = sha256Hex

  beforeEach(async () => {
    vi.resetModules()
    const getBuiltinModule = vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined)
    portable = (await import("../../src/evidence/Sha256.ts")).sha256Hex
    // The way is chosen with the first digest.
    portable("")
    assert.strictEqual(getBuiltinModule.mock.calls.length, 1)
    getBuiltinModule.mockRestore()
  })

  afterEach(() => vi.restoreAllMocks())

  it.prop(
    "is the same",
    { anyText },
    ({ anyText }) => assert.strictEqual(portable(anyText), reference(anyText)),
    seeded(300)
  )

  it.each(lengths)("with %s characters", (length) => {
    assert.strictEqual(portable("é".repeat(length)), reference("é".repeat(length)))
  })
})

it("looks nothing up before the first digest (R11)", async () => {
  vi.resetModules()
  const getBuiltinModule = vi.spyOn(process, "getBuiltinModule")
  const fresh = await import("../../src/evidence/Sha256.ts")
  assert.strictEqual(getBuiltinModule.mock.calls.length, 0)
  fresh.sha256Hex("")
  fresh.sha256Hex("")
  assert.strictEqual(getBuiltinModule.mock.calls.length, 1)
  getBuiltinModule.mockRestore()
})
