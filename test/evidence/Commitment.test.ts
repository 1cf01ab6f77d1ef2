import { assert, describe, it } from "@effect/vitest"
import canonicalize from "canonicalize"
import { Effect, Result, Schema } from "effect"
import { Decision } from "../../src/decision/Decision.ts"
import { type Encoding, type LedgerRecord, make as makeRecord } from "../../src/decision/DecisionRecord.ts"
import * as Redaction from "../../src/decision/Redaction.ts"
import * as Producer from "../../src/decision/Sealer.ts"
import type * as Commitment from "../../src/evidence/Commitment.ts"
import { sha256Hex } from "../../src/evidence/Sha256.ts"
import { decision, seeded, withoutAbsent } from "../support/arbitraries.ts"

const encoding: Encoding = {
  runtimeContext: {},
  redactions: {},
  redact: undefined,
  maxRecordBytes: 1_000_000,
  evidenceBytes: Producer.evidenceBytes(undefined)
}

let sequence = 0

const recordOf = (decision: Parameters<typeof makeRecord>[0], how: Partial<Encoding> = {}): LedgerRecord => {
  const circumstances = { now: 1_000, span: undefined, idempotencyKey: undefined, timeout: undefined }
  const record = Result.getOrThrow(makeRecord(decision, circumstances, { ...encoding, ...how }))
  record.sequence = ++sequence
  return record
}

const sealed = (record: LedgerRecord, producer = Producer.make(Producer.fresh())): LedgerRecord => {
  assert.isUndefined(producer.seal(record, record.sequence))
  return record
}

const evidenceOf = (record: LedgerRecord): Commitment.Evidence => JSON.parse(record.body).context.xase_evidence

const minimal = { policy: "p", input: {}, output: {} }

describe("a commitment", () => {
  it.effect.prop(
    "binds every field that the ledger's hash leaves out, over any decision",
    { decision },
    ({ decision }) =>
      Effect.gen(function* () {
        const record = sealed(recordOf(decision))
        const { commitment } = evidenceOf(record)
        const { context, explanation, input, output, processingTime, transactionId, ...fields } =
          yield* Schema.encodeEffect(Decision)(decision)
        const { featureSchemaHash, modelHash, modelId, modelVersion } = decision
        const about = withoutAbsent({ featureSchemaHash, modelHash, modelId, modelVersion, explanation })
        const expected = {
          ...fields,
          ...(processingTime === undefined ? {} : { processingTime: Math.round(processingTime) }),
          idempotencyKey: record.idempotencyKey,
          recordedAt: 1_000
        }
        assert.deepStrictEqual(commitment.decision, JSON.parse(JSON.stringify(expected)), "minus zero is zero")
        // Not read back from the body: Node 24 can misread keys such as `"` and `\\` in one text.
        const hashed = {
          context: `sha256:${sha256Hex(canonicalize({ ...about, timestamp: 1_000, ...context }) ?? "")}`,
          decision: commitment.decision,
          input: `sha256:${sha256Hex(canonicalize(input) ?? "")}`,
          output: `sha256:${sha256Hex(canonicalize(output) ?? "")}`
        }
        assert.strictEqual(commitment.decisionHash, sha256Hex(canonicalize(hashed) ?? ""))
        assert.isAtMost(Buffer.byteLength(record.body), record.byteLength)
      }),
    seeded(300)
  )

  it("names the one before by the hash of its canonical text", () => {
    const producer = Producer.make(Producer.fresh())
    const [first, second] = [sealed(recordOf(minimal), producer), sealed(recordOf(minimal), producer)].map(evidenceOf)
    assert.isNull(first?.commitment.previousHash)
    assert.strictEqual(second?.commitment.previousHash, sha256Hex(canonicalize(first?.commitment) ?? ""))
    assert.strictEqual(second?.commitment.producer, first?.commitment.producer)
    assert.strictEqual(second?.commitment.sequence, (first?.commitment.sequence ?? 0) + 1)
  })

  it("leaves a gap in the numbers and none in the hashes for a record that is never sent", () => {
    const producer = Producer.make(Producer.fresh())
    const first = sealed(recordOf(minimal), producer)
    recordOf(minimal)
    const third = sealed(recordOf(minimal), producer)
    assert.strictEqual(evidenceOf(third).commitment.sequence, evidenceOf(first).commitment.sequence + 2)
    assert.strictEqual(
      evidenceOf(third).commitment.previousHash,
      sha256Hex(canonicalize(evidenceOf(first).commitment) ?? "")
    )
  })

  it("goes on from where another producer state ended", () => {
    const head = "ab".repeat(32)
    const record = recordOf(minimal)
    sealed(record, Producer.make({ producer: "earlier", sequence: 100, head }))
    const { commitment } = evidenceOf(record)
    assert.strictEqual(commitment.producer, "earlier")
    assert.strictEqual(commitment.sequence, 100 + record.sequence)
    assert.strictEqual(commitment.previousHash, head)
  })

  it("is made once: sealing again changes nothing", () => {
    const producer = Producer.make(Producer.fresh())
    const record = sealed(recordOf(minimal), producer)
    const { body } = record
    assert.strictEqual(sealed(record, producer).body, body)
  })

  it("stays whole whatever redaction hides around it", () => {
    const redactions = Result.getOrThrow(Redaction.compile(["context.*", "input.*"]))
    const { context, input } = JSON.parse(sealed(recordOf({ ...minimal, input: { a: 1 } }, { redactions })).body)
    assert.deepStrictEqual(input, { a: "[REDACTED]" })
    assert.strictEqual(context.timestamp, "[REDACTED]")
    assert.strictEqual(context.xase_evidence.commitment.version, 1)
  })

  it.each([
    ["alone", {}],
    ["first", { zebra: 1 }],
    ["last", { aardvark: 1 }],
    ["in the middle", { aardvark: 1, zebra: 1 }]
  ])("has its place in the order of keys: %s", (_, context) => {
    const { body } = sealed(recordOf({ ...minimal, context: { timestamp: 1, ...context } }))
    assert.strictEqual(body, canonicalize(JSON.parse(body)))
  })
})

describe("the reserved key", () => {
  const circumstances = { now: 0, span: undefined, idempotencyKey: undefined, timeout: undefined }
  const refused = (context: object) =>
    Result.getOrThrow(Result.flip(makeRecord({ ...minimal, context: { ...context } }, circumstances, encoding)))

  it("is refused with its path, beside every other problem", () => {
    assert.include(refused({ xase_evidence: 1 }).message, "context.xase_evidence: is where the SDK")
    const other = makeRecord(
      { ...minimal, input: { a: Number.NaN }, context: { xase_evidence: {} } },
      circumstances,
      encoding
    )
    const { message } = Result.getOrThrow(Result.flip(other))
    assert.include(message, "context.xase_evidence")
    assert.include(message, "input.a")
  })

  it("is refused without commitments too, since a verifier would misread it", () => {
    assert.include(refused({ xase_evidence: null }).message, "context.xase_evidence")
  })
})

describe("without commitments", () => {
  it("a body has none and is canonical", () => {
    const record = recordOf({ ...minimal, context: { a: 1 } })
    Producer.silent.seal(record, 1)
    assert.deepStrictEqual(JSON.parse(record.body).context, { a: 1, timestamp: 1_000 })
    assert.strictEqual(record.body, canonicalize(JSON.parse(record.body)))
  })
})
