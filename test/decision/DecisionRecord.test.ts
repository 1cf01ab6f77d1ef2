import { assert, describe, it } from "@effect/vitest"
import canonicalize from "canonicalize"
import { Duration, Effect, Result, Schema, Tracer } from "effect"
import { CustomDecisionType, Decision } from "../../src/decision/Decision.ts"
import { type Circumstances, type Encoding, type LedgerRecord, make } from "../../src/decision/DecisionRecord.ts"
import * as Redaction from "../../src/decision/Redaction.ts"
import * as Producer from "../../src/decision/Sealer.ts"
import { CanonicalText } from "../../src/evidence/CanonicalJson.ts"
import type { InvalidIdempotencyKey, ValidationError } from "../../src/XaseError.ts"
import { decision, seeded, withoutAbsent } from "../support/arbitraries.ts"

const circumstances: Circumstances = { now: 1_000, span: undefined, idempotencyKey: undefined, timeout: undefined }

const encoding: Encoding = {
  runtimeContext: {},
  redactions: {},
  redact: undefined,
  maxRecordBytes: 1024 * 1024,
  evidenceBytes: 0
}

const made = (decision: unknown, over: Partial<Circumstances> = {}, how: Partial<Encoding> = {}) =>
  make(decision as Decision, { ...circumstances, ...over }, { ...encoding, ...how })

const recordOf = (decision: unknown, over: Partial<Circumstances> = {}, how: Partial<Encoding> = {}): LedgerRecord => {
  const record = Result.getOrThrow(made(decision, over, how))
  Producer.silent.seal(record, 1)
  return record
}

const failureOf = (
  decision: unknown,
  over: Partial<Circumstances> = {},
  how: Partial<Encoding> = {}
): ValidationError | InvalidIdempotencyKey => Result.getOrThrow(Result.flip(made(decision, over, how)))

const issuesOf = (decision: unknown, over: Partial<Circumstances> = {}, how: Partial<Encoding> = {}) => {
  const failure = failureOf(decision, over, how)
  return failure._tag === "ValidationError" ? failure.issues : assert.fail(failure._tag)
}

const pathsOf = (...args: Parameters<typeof issuesOf>): ReadonlyArray<string> =>
  issuesOf(...args).map((issue) => issue.path)

const bodyOf = (record: LedgerRecord) => JSON.parse(record.body)

const minimal: Decision = { policy: "p", input: { a: 1 }, output: { b: 2 } }

const redactions = (...paths: ReadonlyArray<string>) => Result.getOrThrow(Redaction.compile(paths))

describe("the body", () => {
  it.effect.prop(
    "is what the schema encodes, canonical at every depth, with the SDK's context under the caller's",
    { decision },
    ({ decision }) =>
      Effect.gen(function* () {
        const { featureSchemaHash, modelHash, modelId, modelVersion, explanation } = decision
        const about = withoutAbsent({ featureSchemaHash, modelHash, modelId, modelVersion, explanation })
        const { transactionId, processingTime, ...encoded } = yield* Schema.encodeEffect(Decision)(decision)
        const expected = {
          ...encoded,
          ...(processingTime === undefined ? {} : { processingTime: Math.round(processingTime) }),
          context: { ...about, env: "test", timestamp: 1_000, ...decision.context }
        }
        const record = recordOf(decision, {}, { runtimeContext: { env: new CanonicalText('"test"') } })
        assert.strictEqual(record.body, canonicalize(expected))
        assert.isAtLeast(record.byteLength, Buffer.byteLength(record.body))
        assert.isAtMost(record.byteLength, Buffer.byteLength(record.body) + 64)
        assert.strictEqual(record.transactionId, transactionId)
        assert.strictEqual(record.policy, decision.policy)
      }),
    seeded(500)
  )

  it("has its keys sorted, whatever the caller's order", () => {
    const { body } = recordOf({
      output: { z: { y: 1, x: 2 }, a: 1 },
      storePayload: true,
      policy: "p",
      input: {},
      confidence: 0.5
    })
    assert.strictEqual(
      body,
      '{"confidence":0.5,"context":{"timestamp":1000},"input":{},"output":{"a":1,"z":{"x":2,"y":1}},"policyId":"p","storePayload":true}'
    )
  })

  it("escapes names", () => {
    assert.strictEqual(
      bodyOf(recordOf({ ...minimal, policy: '"\\\n\u2028é\u{1f600}' })).policyId,
      '"\\\n\u2028é\u{1f600}'
    )
  })

  it.each([
    [0.4, 0],
    [0.5, 1],
    [-0, 0],
    [1234.5, 1235],
    [2_147_483_646.6, 2_147_483_647]
  ])("rounds a processing time of %s ms to %s, which the ledger would cut", (processingTime, rounded) => {
    assert.include(recordOf({ ...minimal, processingTime }).body, `"processingTime":${rounded},`.replace(/,$/, ""))
    assert.strictEqual(bodyOf(recordOf({ ...minimal, processingTime })).processingTime, rounded)
  })

  it("writes minus zero as zero", () => {
    assert.include(recordOf({ ...minimal, confidence: -0, input: { a: -0 } }).body, '"confidence":0,')
  })

  it("has the word of a custom decision type, and never the transaction id", () => {
    const body = bodyOf(
      recordOf({ ...minimal, decisionType: new CustomDecisionType("TRIAGE"), transactionId: "loan_1" })
    )
    assert.strictEqual(body.decisionType, "TRIAGE")
    assert.isFalse("transactionId" in body)
    assert.notInclude(JSON.stringify(body), "loan_1")
  })

  it("leaves out fields that are undefined", () => {
    const absent = Object.fromEntries(
      ["confidence", "context", "decisionType", "explanation", "modelId", "storePayload"].map((key) => [key, undefined])
    )
    assert.strictEqual(recordOf({ ...minimal, ...absent }).body, recordOf(minimal).body)
  })
})

describe("the context", () => {
  const runtimeContext = { env: new CanonicalText('"test"'), pid: new CanonicalText("7") }

  it("has the moment of record(), the runtime and the span under the caller's own", () => {
    const span = Tracer.externalSpan({ traceId: "t".repeat(32), spanId: "s".repeat(16) })
    const decision = { ...minimal, context: { pid: "mine", channel: "web" } }
    assert.deepStrictEqual(bodyOf(recordOf(decision, { span, now: 5 }, { runtimeContext })).context, {
      channel: "web",
      env: "test",
      pid: "mine",
      span_id: "s".repeat(16),
      timestamp: 5,
      trace_id: "t".repeat(32)
    })
  })

  it("lets the caller win over every name", () => {
    const span = Tracer.externalSpan({ traceId: "t", spanId: "s" })
    const context = { env: 1, pid: 2, timestamp: 3, trace_id: 4, span_id: 5, modelId: 6, explanation: 7 }
    const decision = { ...minimal, context, modelId: "m", explanation: { because: 1 } }
    assert.deepStrictEqual(bodyOf(recordOf(decision, { span }, { runtimeContext })).context, context)
  })

  it("has what describes the model, which the public ledger drops elsewhere", () => {
    const model = { modelId: "m", modelVersion: "2", modelHash: "h", featureSchemaHash: "f", explanation: { w: [1] } }
    const body = bodyOf(recordOf({ ...minimal, ...model }))
    assert.deepStrictEqual(body.context, { ...model, timestamp: 1_000 })
    assert.deepStrictEqual({ ...body, ...model }, body)
  })

  it("is redacted with the rest: the SDK's own members, and the explanation in both places", () => {
    const decision = { ...minimal, explanation: { ssn: 1, why: 2 }, context: { email: 3 } }
    const hidden = redactions("explanation.ssn", "context.email", "context.pid", "input.a")
    const body = bodyOf(recordOf(decision, {}, { runtimeContext, redactions: hidden }))
    assert.deepStrictEqual(body.explanation, { ssn: "[REDACTED]", why: 2 })
    assert.deepStrictEqual(body.input, { a: "[REDACTED]" })
    assert.deepStrictEqual(body.context, {
      email: "[REDACTED]",
      env: "test",
      explanation: { ssn: "[REDACTED]", why: 2 },
      pid: "[REDACTED]",
      timestamp: 1_000
    })
  })
})

describe("a snapshot (R30)", () => {
  it("is not changed by what the caller does to the decision afterwards", () => {
    const decision = {
      policy: "p",
      input: { amount: 1, deep: { list: [1] } },
      output: { approved: false },
      context: { by: "a" },
      transactionId: "t"
    }
    const record = recordOf(decision)
    const before = { ...record }
    decision.input.amount = 2
    decision.input.deep.list.push(2)
    decision.output.approved = true
    decision.context.by = "b"
    decision.policy = "q"
    decision.transactionId = "u"
    assert.deepStrictEqual({ ...record }, before)
    assert.deepStrictEqual(bodyOf(record).input, { amount: 1, deep: { list: [1] } })
  })

  it("leaves the decision as it was, frozen ones included", () => {
    const freeze = (value: object): object => {
      for (const member of Object.values(value)) if (typeof member === "object" && member !== null) freeze(member)
      return Object.freeze(value)
    }
    const decision = { ...minimal, context: { z: 1, a: [{ b: 1 }] }, explanation: {}, modelId: "m" }
    recordOf(freeze(structuredClone(decision)), {}, { redactions: redactions("context.z", "input.*") })
    const own = structuredClone(decision)
    recordOf(own, {}, { redactions: redactions("context.z", "input.*"), redact: (all) => ({ ...all, policy: "q" }) })
    assert.deepStrictEqual(own, decision)
  })

  it("asks each getter of the decision once", () => {
    const reads: Array<string> = []
    const decision = {
      policy: "p",
      get input() {
        reads.push("input")
        return { a: 1 }
      },
      get output() {
        reads.push("output")
        return {}
      }
    }
    recordOf(decision)
    assert.deepStrictEqual(reads, ["input", "output"])
  })
})

describe("the idempotency key", () => {
  it("is the caller's, else from the transaction id, else fresh", () => {
    const idempotencyKey = "my_key_0123456789"
    const withId = { ...minimal, transactionId: "loan_1" }
    assert.strictEqual(recordOf(withId, { idempotencyKey }).idempotencyKey, idempotencyKey)
    assert.strictEqual(recordOf(withId).idempotencyKey, recordOf({ ...withId, input: {} }, { now: 9 }).idempotencyKey)
    assert.match(recordOf(withId).idempotencyKey, /^[0-9a-f]{32}$/)
    assert.match(
      recordOf(minimal).idempotencyKey,
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
    )
    assert.notStrictEqual(recordOf(minimal).idempotencyKey, recordOf(minimal).idempotencyKey)
  })

  it.each(["", "short", "x".repeat(65), "with space 0123456", "a\r\nb-0123456789abcdef", "ü".repeat(16), 5, null])(
    "%j is refused (R33)",
    (idempotencyKey) => {
      const failure = failureOf(minimal, { idempotencyKey: idempotencyKey as string })
      assert.strictEqual(failure._tag, "InvalidIdempotencyKey")
      assert.notInclude(failure.message, "0123456")
    }
  )

  it("is checked after the decision, whose problems are the larger ones", () => {
    assert.strictEqual(failureOf({ policy: "p" }, { idempotencyKey: "bad" })._tag, "ValidationError")
  })
})

describe("the fingerprint (R31)", () => {
  const named = { ...minimal, transactionId: "loan_1" }
  const span = Tracer.externalSpan({ traceId: "t", spanId: "s" })

  it("is only there where the application chose the key", () => {
    assert.isUndefined(recordOf(minimal).fingerprint)
    assert.isString(recordOf(named).fingerprint)
    assert.isString(recordOf(minimal, { idempotencyKey: "my_key_0123456789" }).fingerprint)
  })

  it.prop(
    "is the same for the same decision, whenever, wherever and in whatever order its keys are",
    { decision },
    ({ decision }) => {
      const again = Object.fromEntries(Object.entries(decision).reverse())
      const first = recordOf({ ...decision, transactionId: "t" })
      const second = recordOf(
        { ...again, transactionId: "t" },
        { now: 2_000, span, timeout: Duration.seconds(1) },
        { runtimeContext: { pid: new CanonicalText("9") } }
      )
      assert.strictEqual(first.fingerprint, second.fingerprint)
    },
    seeded(100)
  )

  it.prop(
    "differs whenever the ledger would see a difference, and only then",
    { decision, other: decision },
    ({ decision, other }) => {
      const before = recordOf({ ...decision, transactionId: "t" })
      for (const field of Object.keys(other)) {
        const after = recordOf({ ...decision, [field]: Reflect.get(other, field), transactionId: "t" })
        assert.strictEqual(after.fingerprint === before.fingerprint, after.body === before.body, field)
      }
    },
    seeded(200)
  )

  it("does not show what is redacted", () => {
    const how = { redactions: redactions("input.ssn", "output.ssn", "context.ssn", "explanation.ssn") }
    const fingerprints = [1, 2].map((ssn) => {
      const hidden = { input: { ssn }, output: { ssn }, context: { ssn }, explanation: { ssn } }
      return recordOf({ ...named, ...hidden }, {}, how).fingerprint
    })
    assert.strictEqual(fingerprints[0], fingerprints[1])
  })
})

describe("maxRecordBytes (R27)", () => {
  it("counts the bytes of the whole body, in UTF-8", () => {
    const decision = { ...minimal, input: { text: "é".repeat(100) } }
    const { byteLength } = recordOf(decision)
    assert.strictEqual(recordOf(decision, {}, { maxRecordBytes: byteLength }).byteLength, byteLength)
    const [issue, ...more] = issuesOf(decision, {}, { maxRecordBytes: byteLength - 1 })
    assert.deepStrictEqual([issue?.path, more], ["", []])
    assert.include(issue?.message, `${byteLength} bytes, more than maxRecordBytes (${byteLength - 1})`)
  })
})

describe("what cannot become a record", () => {
  it("is told with all problems at once, of fields and inside objects", () => {
    const decision = {
      input: { a: Number.NaN, list: [1n] },
      output: new Map(),
      context: { "odd key": () => 1 },
      explanation: { deep: { b: Symbol("s") } },
      confidence: 2
    }
    assert.sameMembers(
      [...pathsOf(decision)],
      ["policy", "confidence", "input.a", "input.list[0]", "output", 'context["odd key"]', "explanation.deep.b"]
    )
    assert.sameMembers(
      [...pathsOf({ ...decision, policy: "p", confidence: 1 })],
      ["input.a", "input.list[0]", "output", 'context["odd key"]', "explanation.deep.b"]
    )
  })

  it.each([undefined, null, 1, "text", [], () => 1, Symbol("s"), 1n])("is %s, which is no object", (value) => {
    assert.deepStrictEqual(issuesOf(value), [{ path: "", message: "a decision must be an object" }])
  })

  const broken = () => {
    throw new RangeError("4111")
  }
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()

  it.each([
    [
      "a field whose getter throws",
      Object.defineProperty({ ...minimal }, "input", { get: broken, enumerable: true }),
      "input"
    ],
    [
      "a nested getter that throws",
      {
        ...minimal,
        output: {
          get x() {
            return broken()
          }
        }
      },
      "output.x"
    ],
    [
      "an unknown field whose getter throws",
      Object.defineProperty({ ...minimal }, "x", { get: broken, enumerable: true }),
      ""
    ],
    ["a field that is a revoked proxy", { ...minimal, output: revoked.proxy }, "output"],
    [
      "a scalar field that is a hostile proxy",
      { ...minimal, decisionType: new Proxy({}, { getPrototypeOf: broken }) },
      "decisionType"
    ],
    ["a revoked proxy", revoked.proxy, ""],
    ["a proxy that throws", new Proxy(minimal, { ownKeys: broken }), ""],
    ["a toJSON that throws", { ...minimal, context: { toJSON: broken } }, "context"],
    ["a context that is no object after toJSON", { ...minimal, context: { toJSON: () => [1] } }, "context"]
  ])("is %s (R29)", (_, decision, path) => {
    const [issue, ...more] = issuesOf(decision)
    assert.deepStrictEqual([issue?.path, more], [path, []])
    assert.notInclude(JSON.stringify(issue), "4111")
  })

  it("is one without any issue never", () => {
    for (const decision of [{}, { ...minimal, policyId: "x" }, { ...minimal, [Symbol("f")]: 1 }, revoked.proxy]) {
      assert.isNotEmpty(issuesOf(decision))
    }
  })
})

describe("the redact function", () => {
  it("has the last word on all fields, the transaction id too", () => {
    const redact = (decision: Decision): Decision => ({ ...decision, input: { a: "hidden" }, transactionId: "other" })
    const record = recordOf({ ...minimal, transactionId: "loan_1" }, {}, { redact })
    assert.deepStrictEqual(bodyOf(record).input, { a: "hidden" })
    assert.strictEqual(record.idempotencyKey, recordOf({ ...minimal, transactionId: "other" }).idempotencyKey)
    assert.strictEqual(record.transactionId, "other")
  })

  it("that throws stops the decision, and its words are not told", () => {
    const redact = (): never => {
      throw new TypeError("secret 4111")
    }
    const [issue, ...more] = issuesOf(minimal, {}, { redact })
    assert.deepStrictEqual([issue?.path, more], ["", []])
    assert.include(issue?.message, "the redact function threw TypeError")
    assert.notInclude(issue?.message, "4111")
  })

  it("that throws what cannot be read stops it too", () => {
    const redact = (): never => {
      throw Proxy.revocable({}, {}).proxy
    }
    assert.isNotEmpty(issuesOf(minimal, {}, { redact }))
  })

  it("that sets fields of its argument does not change the caller's decision", () => {
    const decision = { ...minimal }
    const redact = (mine: Decision): Decision => Object.assign(mine, { policy: "changed", input: {} })
    assert.strictEqual(recordOf(decision, {}, { redact }).policy, "changed")
    assert.deepStrictEqual(decision, minimal)
  })

  it.each([
    ["nothing", () => undefined],
    ["null", () => null],
    ["a promise", async (decision: Decision) => decision]
  ])("that gives %s stops the decision and is named", (_, redact) => {
    const [issue] = issuesOf(minimal, {}, { redact: redact as never })
    assert.include(issue?.message, "the redact function must return a decision")
  })

  it("that gives another kind of thing stops the decision", () => {
    const redact = () => ({ ...minimal, policy: 5 })
    assert.include(pathsOf(minimal, {}, { redact: redact as never }), "policy")
  })

  it("is not asked about a decision that is not valid", () => {
    let calls = 0
    const redact = (decision: Decision): Decision => {
      calls++
      return decision
    }
    failureOf({ ...minimal, policy: "" }, {}, { redact })
    assert.strictEqual(calls, 0)
  })
})

describe("circumstances", () => {
  it("are kept with the record", () => {
    const span = Tracer.externalSpan({ traceId: "t", spanId: "s" })
    const timeout = Duration.seconds(7)
    const record = recordOf(minimal, { span, timeout })
    assert.strictEqual(record.span, span)
    assert.strictEqual(record.timeout, timeout)
    assert.strictEqual(record.sequence, 0)
  })
})
