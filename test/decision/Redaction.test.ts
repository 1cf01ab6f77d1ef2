import { assert, describe, it } from "@effect/vitest"
import canonicalize from "canonicalize"
import { Arbitrary, Result } from "effect"
import { compile, type Redactions, redactableFields } from "../../src/decision/Redaction.ts"
import { write } from "../../src/evidence/CanonicalJson.ts"
import { constants, type Json, type JsonObject, jsonObject, seeded } from "../support/arbitraries.ts"

const compiled = (...paths: ReadonlyArray<string>): Redactions => Result.getOrThrow(compile(paths))

const problemOf = (path: string): string => Result.getOrThrow(Result.flip(compile([path])))

const written = (value: object, ...paths: ReadonlyArray<string>): string => {
  const canonical = write(value, "input", compiled(...paths).input)
  return canonical._tag === "Text" ? canonical.text : assert.fail()
}

describe("paths", () => {
  it("reach each open object of a decision, and nothing else", () => {
    assert.deepStrictEqual(Object.keys(compiled(...redactableFields.map((field) => `${field}.a`))), [
      ...redactableFields
    ])
    for (const path of ["policy", "policy.a", "transactionId.x", "Input.a", "", ".a", "*.a", "__proto__.a"]) {
      assert.include(problemOf(path), `"${path}" does not start with one of input, output, context, explanation`)
    }
  })

  it("name something inside", () => {
    for (const path of ["input", "input.", "input..a", "input.a.", "output.__proto__", "output.a.__proto__.b"]) {
      assert.match(problemOf(path), /^".*" names nothing inside (input|output)$/)
    }
  })

  it("are all checked, and the first bad one is told", () => {
    const problem = Result.getOrThrow(Result.flip(compile(["input.a", "nowhere.b", "input"])))
    assert.include(problem, "nowhere.b")
  })

  it("none at all hide nothing", () => assert.deepStrictEqual(Object.keys(compiled()), []))

  it("do not touch the prototype of anything", () => {
    compiled("input.constructor.prototype.polluted", "context.hasOwnProperty")
    assert.isUndefined(Reflect.get({}, "polluted"))
    assert.isTrue(Object.hasOwn({ a: 1 }, "a"))
  })
})

describe("paths together", () => {
  const value = { user: { email: 1, phone: 2, address: { street: 3, city: 4 } }, other: { email: 5, phone: 6 } }

  it.each([
    [
      "a shorter path hides more, before",
      ["input.user", "input.user.email"],
      { user: "[REDACTED]", other: value.other }
    ],
    [
      "a shorter path hides more, after",
      ["input.user.email", "input.user"],
      { user: "[REDACTED]", other: value.other }
    ],
    [
      "a key with a path of its own is hidden by * too",
      ["input.*", "input.user.email"],
      { user: "[REDACTED]", other: "[REDACTED]" }
    ],
    [
      "what * hides inside is hidden beside a path of its own",
      ["input.*.email", "input.user.phone"],
      { user: { ...value.user, email: "[REDACTED]", phone: "[REDACTED]" }, other: { email: "[REDACTED]", phone: 6 } }
    ],
    [
      "at every depth",
      ["input.*.*.street", "input.user.address.city", "input.user.*.nothing"],
      { user: { ...value.user, address: { street: "[REDACTED]", city: "[REDACTED]" } }, other: value.other }
    ]
  ] as const)("%s", (_, paths, expected) => {
    assert.deepStrictEqual(JSON.parse(written(value, ...paths)), expected)
    assert.deepStrictEqual(JSON.parse(written(value, ...[...paths].reverse())), expected)
  })
})

/** The same in plain words: a value is hidden when any path, wildcards allowed, is its own. */
const hiddenBy = (paths: ReadonlyArray<ReadonlyArray<string>>, value: Json): Json => {
  if (paths.some((path) => path.length === 0)) return "[REDACTED]"
  const inside = (key: string, member: Json): Json =>
    hiddenBy(
      paths.filter(([head]) => head === key || head === "*").map(([, ...rest]) => rest),
      member
    )
  if (Array.isArray(value)) return value.map((item: Json, index) => inside(String(index), item))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, inside(key, member)]))
}

describe("any paths over any value", () => {
  const key = constants("a", "b", "c", "0", "1", "*")
  const path = Arbitrary.array(key, { minLength: 1, maxLength: 4 })
  const few = constants<"a" | "b" | "c">("a", "b", "c")
  const object: Arbitrary.Arbitrary<JsonObject> = Arbitrary.map(
    Arbitrary.all([jsonObject, Arbitrary.array(Arbitrary.all([few, few, few, jsonObject]))]),
    ([base, more]) => ({
      ...base,
      ...Object.fromEntries(more.map(([a, b, c, inner]) => [a, { [b]: { [c]: inner }, list: [{ [c]: 1 }, inner] }]))
    })
  )

  it.prop(
    "hide what one of them hides, and nothing else",
    { paths: Arbitrary.array(path, { minLength: 1, maxLength: 5 }), object },
    ({ paths, object }) => {
      const texts = paths.map((keys) => ["input", ...keys].join("."))
      assert.strictEqual(written(object, ...texts), canonicalize(hiddenBy(paths, object)))
    },
    seeded(1_000)
  )
})
