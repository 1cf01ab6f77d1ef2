/**
 * Every parser of evidence, over JSON of any shape: none throws, and nothing that is not evidence is ever valid.
 */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect } from "effect"
import { isObject } from "../../src/evidence/Json.ts"
import {
  LedgerWalk,
  parseTrustPolicy,
  readEvidence,
  verifyProducerChain,
  verifyReceipt,
  verifyRecord,
  verifyReport
} from "../../src/verify.ts"
import { int, type Json, json, jsonObject, oneOf, seeded } from "../support/arbitraries.ts"

/** A copy of a JSON value in which one member, found by a number, is another value. */
const mutate = (value: Json, at: number, other: Json): Json => {
  if (typeof value !== "object" || value === null) return other
  const keys = Object.keys(value)
  if (keys.length === 0) return other
  const key = keys[at % keys.length] ?? ""
  const rest = Math.floor(at / keys.length)
  if (Array.isArray(value))
    return value.map((item, index) => (String(index) === key ? mutate(item, rest, other) : item))
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, name === key ? mutate(item, rest, other) : item])
  )
}

const vectors = JSON.parse(readFileSync(new URL("../vectors/evidence-vectors.json", import.meta.url), "utf8"))
const wholeReport: Json = vectors.reports[0].report
const wholePolicy: Json = vectors.bundles[0].trust

const near = (whole: Json) =>
  oneOf<Json>(
    json,
    Arbitrary.map(Arbitrary.all({ at: int(0, 1_000_000), other: json }), ({ at, other }) => mutate(whole, at, other))
  )

const answer: Json = {
  transaction_id: "txn_1",
  is_valid: true,
  verification: { input_hash: true },
  metadata: {
    timestamp: "t",
    policy_id: "p",
    policy_version: null,
    decision_type: null,
    confidence: 1,
    processing_time: 1
  },
  chain: { previous_hash: null, record_hash: "ab".repeat(32) }
}

const evidence: Json = {
  xase_evidence: {
    commitment: {
      algorithm: "sha256",
      decision: { idempotencyKey: "k", policyId: "p", recordedAt: 1, confidence: 0.5 },
      decisionHash: "ab".repeat(32),
      previousHash: null,
      producer: "p",
      sequence: 1,
      version: 1
    },
    signature: { keyId: "k", signature: "AA" }
  }
}

const hashesOf = (report: unknown): unknown =>
  isObject(report) && Array.isArray(report.records)
    ? report.records.map((record) => (Array.isArray(record) ? record.slice(1) : record))
    : undefined

describe("over JSON of any shape", () => {
  it.effect.prop(
    "a report",
    { report: near(wholeReport) },
    ({ report }) =>
      Effect.sync(() => {
        const { verdict } = verifyReport(report)
        if (verdict !== "valid") return
        // Ids and words are only said; the hashes are what holds.
        assert.deepStrictEqual(hashesOf(report), hashesOf(wholeReport))
      }),
    seeded(500)
  )

  it.effect.prop(
    "a trust policy",
    { policy: near(wholePolicy) },
    ({ policy }) =>
      Effect.sync(() => {
        const parsed = parseTrustPolicy(policy)
        assert.strictEqual(parsed.policy === undefined, (parsed.problems ?? []).length > 0)
        for (const key of parsed.policy?.keys ?? []) assert.include(key.publicKeyPem, "BEGIN PUBLIC KEY")
      }),
    seeded(500)
  )

  it.effect.prop(
    "the evidence in a context",
    { context: near(evidence) },
    ({ context }) =>
      Effect.sync(() => {
        if (!isObject(context)) return
        const read = readEvidence(context)
        if (read._tag !== "Evidence") return
        const { commitment } = read.evidence
        assert.strictEqual(commitment.version, 1)
        assert.isAtLeast(commitment.sequence, 1)
        assert.isString(commitment.decision.policyId)
      }),
    seeded(1_000)
  )

  it.effect.prop(
    "the ledger's answer",
    { ledger: near(answer), known: jsonObject },
    ({ ledger }) =>
      Effect.sync(() => {
        assert.notStrictEqual(verifyRecord({ ledger, predecessor: "none" }).verdict, "valid")
      }),
    seeded(500)
  )
})

describe("with nothing to check", () => {
  it("nothing is valid", () => {
    assert.strictEqual(verifyRecord({}).verdict, "indeterminate")
    assert.strictEqual(verifyProducerChain("p", []).verdict, "indeterminate")
    assert.strictEqual(
      verifyReceipt({ transaction_id: "t", record_hash: "ab".repeat(32) }, {}, null).verdict,
      "indeterminate"
    )
    assert.deepStrictEqual(LedgerWalk.finish(LedgerWalk.start, LedgerWalk.memoryIndex()), [])
  })
})
