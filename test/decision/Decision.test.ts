import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import {
  CustomDecisionType,
  Decision,
  decisionTypes,
  isDecision,
  issuesOf,
  maxProcessingTime
} from "../../src/decision/Decision.ts"
import { constants, decision, oneOf, seeded } from "../support/arbitraries.ts"

const minimal: Decision = { policy: "p", input: {}, output: {} }

const pathsOf = (value: unknown): ReadonlyArray<string> => issuesOf(value).map((issue) => issue.path)

/** Values of which each is wrong for some fields and right for others. */
const odd: Arbitrary.Arbitrary<unknown> = oneOf<unknown>(
  constants<unknown>(
    undefined,
    null,
    "",
    "x",
    "a\u0000b",
    "\ud800",
    "FRAUD",
    "fraud",
    "0.5",
    0,
    -0,
    1,
    1.0001,
    -0.0001
  ),
  constants<unknown>(Number.NaN, Number.POSITIVE_INFINITY, maxProcessingTime, maxProcessingTime + 0.1, 1n, true, false),
  constants<unknown>(Symbol("s"), () => 1, [], [1], {}, { a: 1 }, Object.create(null), new Map(), new Date(0)),
  constants<unknown>(new CustomDecisionType("TRIAGE"), new CustomDecisionType(""), new CustomDecisionType("\u0000")),
  constants<unknown>(new CustomDecisionType(null as never), new CustomDecisionType(["a"] as never), Object("boxed"))
)

const fieldNames = [
  "policy",
  "input",
  "output",
  "confidence",
  "context",
  "transactionId",
  "policyVersion",
  "decisionType",
  "processingTime",
  "storePayload",
  "modelId",
  "modelVersion",
  "modelHash",
  "featureSchemaHash",
  "explanation"
] as const

const anyName: Arbitrary.Arbitrary<PropertyKey> = oneOf<PropertyKey>(
  constants(...fieldNames),
  constants("policyId", "confidance", "__proto__", "constructor", "toString", "", "0"),
  Arbitrary.Constant(Symbol("field"))
)

/** A decision with a few fields replaced, added or taken away. */
const spoiled: Arbitrary.Arbitrary<object> = Arbitrary.map(
  Arbitrary.all([
    decision,
    Arbitrary.array(Arbitrary.all([anyName, odd, constants("set", "delete")]), { maxLength: 3 })
  ]),
  ([valid, changes]) => {
    const value = { ...valid }
    for (const [name, replacement, change] of changes) {
      if (change === "delete") Reflect.deleteProperty(value, name)
      else {
        const property = { value: replacement, enumerable: true, configurable: true, writable: true }
        Object.defineProperty(value, name, property)
      }
    }
    return value
  }
)

describe("isDecision", () => {
  it.prop(
    "takes every valid decision",
    { decision },
    ({ decision }) => assert.isTrue(isDecision(decision)),
    seeded(300)
  )

  it.prop(
    "says the same as the schema of any spoiled decision",
    { value: spoiled },
    ({ value }) => assert.strictEqual(isDecision(value), issuesOf(value).length === 0, JSON.stringify(issuesOf(value))),
    seeded(3_000)
  )

  it("says the same as the schema of each field with each odd value", () => {
    for (const field of fieldNames) {
      for (const value of [
        undefined,
        null,
        "",
        "x",
        "a\u0000",
        "\ud800",
        -1,
        2,
        Number.NaN,
        1n,
        [],
        {},
        () => 1,
        Symbol()
      ]) {
        const spoilt = { ...minimal, [field]: value }
        assert.strictEqual(isDecision(spoilt), issuesOf(spoilt).length === 0, `${field} ${String(value)}`)
      }
    }
  })

  it.each([undefined, null, 1, "text", [], () => 1, Symbol("s"), 1n, true])(
    "is false for %s, which is no object",
    (value) => {
      assert.isFalse(isDecision(value))
      assert.deepStrictEqual(issuesOf(value), [{ path: "", message: "a decision must be an object" }])
    }
  )

  it("is false for a field whose name is a symbol, which no JSON would show", () => {
    const value = { ...minimal, [Symbol("field")]: 1 }
    assert.isFalse(isDecision(value))
    assert.deepStrictEqual(pathsOf(value), ["Symbol(field)"])
  })

  it("does not mind properties that are not enumerable", () => {
    for (const name of [Symbol("hidden"), "hidden"]) {
      const value = Object.defineProperty({ ...minimal }, name, { value: 1, enumerable: false })
      assert.isTrue(isDecision(value))
      assert.deepStrictEqual(issuesOf(value), [])
    }
  })
})

describe("issues", () => {
  it("name everything that is wrong at once, by the caller's names", () => {
    const value = {
      input: [],
      output: null,
      confidence: 1.5,
      context: "c",
      transactionId: "",
      policyVersion: 2,
      decisionType: "fraud",
      processingTime: -1,
      storePayload: "yes",
      modelId: "\ud800",
      explanation: [],
      policyId: "p"
    }
    assert.sameMembers([...pathsOf(value)], ["policy", ...Object.keys(value)])
  })

  it.each([
    ["policy", {}, "is required: the name of the policy that decided"],
    ["policy", { policy: "" }, "must be text that is not empty"],
    ["policy", { policy: "a\u0000" }, "without NUL characters"],
    ["transactionId", { transactionId: "\udc00" }, "lone surrogates"],
    ["input", { input: "x" }, "must be an object, not an array, null or a scalar"],
    ["confidence", { confidence: Number.NaN }, "must be a number from 0 to 1"],
    ["processingTime", { processingTime: maxProcessingTime + 1 }, "milliseconds from 0 to 2147483647"],
    ["decisionType", { decisionType: "fraud" }, "must be one of CLAIM, UNDERWRITING, FRAUD, PRICING, OTHER"],
    ["storePayload", { storePayload: 1 }, "must be true or false"],
    ["amount", { amount: 1 }, "is not a field of a decision and would be lost"],
    ["__proto__", JSON.parse('{"__proto__":{}}'), "is not a field of a decision and would be lost"]
  ])("of %s say what is wrong: %j", (path, spoilt, message) => {
    const { policy, ...rest } = minimal
    const value = path === "policy" && !("policy" in spoilt) ? rest : { policy, ...rest }
    for (const key of Object.keys(spoilt)) Object.defineProperty(value, key, { value: spoilt[key], enumerable: true })
    const [issue, ...more] = issuesOf(value)
    assert.deepStrictEqual([issue?.path, more], [path, []])
    assert.include(issue?.message, message)
  })

  it("never quote a value", () => {
    const value = {
      ...minimal,
      confidence: 4111,
      policyVersion: 4111,
      decisionType: "4111",
      "4111": 1,
      context: "4111"
    }
    const messages = issuesOf(value).map((issue) => issue.message)
    assert.notInclude(messages.join(), "4111")
  })

  it("tell of a getter that throws", () => {
    const value = {
      ...minimal,
      get context(): object {
        throw new Error("4111")
      }
    }
    assert.deepStrictEqual(pathsOf(value), [""])
  })
})

describe("limits", () => {
  it.each([
    ["confidence", 0],
    ["confidence", 1],
    ["confidence", -0],
    ["processingTime", 0],
    ["processingTime", maxProcessingTime],
    ["processingTime", 0.5],
    ["policy", "ü".repeat(10_000)],
    ["decisionType", new CustomDecisionType("TRIAGE")],
    ["context", undefined],
    ["input", Object.create(null)]
  ])("%s may be %s", (field, value) => assert.isTrue(isDecision({ ...minimal, [field]: value })))
})

describe("the schema", () => {
  it.effect.prop(
    "writes policy as policyId, nothing else under another name, and reads it back",
    { decision },
    ({ decision }) =>
      Effect.gen(function* () {
        const encoded = yield* Schema.encodeEffect(Decision)(decision)
        const { policy, ...rest } = decision
        const expected: object = { ...rest, policyId: policy }
        assert.deepStrictEqual(encoded, expected)
        assert.deepStrictEqual(yield* Schema.decodeUnknownEffect(Decision)(encoded), decision)
      }),
    seeded(200)
  )

  it.effect("writes a custom decision type as its word, and reads it back", () =>
    Effect.gen(function* () {
      const custom: Decision = { ...minimal, decisionType: new CustomDecisionType("TRIAGE") }
      const encoded = yield* Schema.encodeEffect(Decision)(custom)
      assert.strictEqual(encoded.decisionType, "TRIAGE")
      assert.deepStrictEqual(yield* Schema.decodeEffect(Decision)(encoded), custom)
    })
  )

  it.effect("reads the ledger's own words as themselves", () =>
    Effect.gen(function* () {
      for (const decisionType of decisionTypes) {
        const read = yield* Schema.decodeUnknownEffect(Decision)({ policyId: "p", input: {}, output: {}, decisionType })
        assert.strictEqual(read.decisionType, decisionType)
      }
    })
  )
})
