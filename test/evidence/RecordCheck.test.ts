import { assert, describe, it } from "@effect/vitest"
import { hashObject, recordHash } from "../../src/evidence/LedgerHash.ts"
import { readClaim } from "../../src/evidence/RecordCheck.ts"
import { type KnownRecord, type Problem, type RecordSources, verifyReceipt, verifyRecord } from "../../src/verify.ts"

const previousHash = "ab".repeat(32)
const hashes = {
  inputHash: hashObject({ a: 1 }),
  outputHash: hashObject({ b: 2 }),
  contextHash: hashObject({ c: 3 })
}
const own = recordHash({ previousHash, ...hashes })
const transactionId = "txn_1"
const timestamp = "2026-11-23T09:00:00.000Z"

const answer = (over: object = {}, chain: object = {}, metadata: object = {}) => ({
  transaction_id: transactionId,
  is_valid: true,
  status: "VERIFIED",
  verification: { input_hash: true, chain_integrity: true, payload_available: false },
  metadata: {
    timestamp,
    policy_id: "p",
    policy_version: "1",
    decision_type: "FRAUD",
    confidence: 0.5,
    processing_time: 7,
    ...metadata
  },
  chain: { previous_hash: previousHash, record_hash: own, ...chain },
  ...over
})

const receipt = { transaction_id: transactionId, record_hash: own, timestamp }

const known: KnownRecord = {
  ...hashes,
  receipt,
  decision: { policyId: "p", policyVersion: "1", decisionType: "FRAUD", confidence: 0.5, processingTime: 7 }
}

const whole: RecordSources = { ledger: answer(), predecessor: { recordHash: previousHash }, known }

const problemsOf = (sources: RecordSources): ReadonlyArray<string> =>
  verifyRecord(sources).problems.map(({ path, reason, transactionId: id }: Problem) =>
    [reason, path, id].filter(Boolean).join(" ")
  )

describe("a record with everything that is known of it", () => {
  it("is valid, and says what is proven", () => {
    const { missing, problems, proven, sentence, verdict } = verifyRecord(whole)
    assert.deepStrictEqual({ verdict, problems, missing }, { verdict: "valid", problems: [], missing: [] })
    assert.deepStrictEqual(proven, [
      "the ledger still says what its receipt said",
      "the record hash, computed here, is made of what was sent",
      "policy, type, confidence and processing time are what was recorded",
      "the record before it has the hash it follows"
    ])
    assert.isTrue(sentence.startsWith("Record txn_1 is valid: the ledger still says"))
  })

  it("may be the first of its chain", () => {
    const first = recordHash({ previousHash: null, ...hashes })
    const sources = {
      ledger: answer({}, { previous_hash: null, record_hash: first }),
      predecessor: "none" as const,
      known: { ...known, receipt: { ...receipt, record_hash: first } }
    }
    assert.include(verifyRecord(sources).proven, "it is the first of its chain")
    assert.strictEqual(verifyRecord(sources).verdict, "valid")
    assert.deepStrictEqual(problemsOf({ ...sources, predecessor: { recordHash: previousHash } }), [
      "predecessor chain.previous_hash txn_1"
    ])
  })

  it("may have been sent without a context", () => {
    const bare = { ...hashes, contextHash: null }
    const hash = recordHash({ previousHash, ...bare })
    const sources = {
      ...whole,
      ledger: answer({}, { record_hash: hash }),
      known: { ...known, ...bare, receipt: { ...receipt, record_hash: hash } }
    }
    assert.strictEqual(verifyRecord(sources).verdict, "valid")
  })
})

describe("each thing that can be wrong is named", () => {
  const zeros = "0".repeat(64)
  const cases: ReadonlyArray<readonly [name: string, sources: RecordSources, problems: ReadonlyArray<string>]> = [
    ["policy", { ...whole, ledger: answer({}, {}, { policy_id: "q" }) }, ["differs policyId txn_1"]],
    ["version", { ...whole, ledger: answer({}, {}, { policy_version: "2" }) }, ["differs policyVersion txn_1"]],
    ["type", { ...whole, ledger: answer({}, {}, { decision_type: null }) }, ["differs decisionType txn_1"]],
    ["confidence", { ...whole, ledger: answer({}, {}, { confidence: 0.6 }) }, ["differs confidence txn_1"]],
    ["processing time", { ...whole, ledger: answer({}, {}, { processing_time: 8 }) }, ["differs processingTime txn_1"]],
    ["time", { ...whole, ledger: answer({}, {}, { timestamp: "2027" }) }, ["differs timestamp txn_1"]],
    [
      "record hash",
      { ...whole, ledger: answer({}, { record_hash: zeros }) },
      ["differs record_hash txn_1", "record hash record_hash txn_1"]
    ],
    ["no hash", { ...whole, ledger: answer({}, { record_hash: "x" }), known: undefined }, ["malformed record_hash"]],
    [
      "previous hash",
      { ...whole, ledger: answer({}, { previous_hash: zeros }) },
      ["record hash record_hash txn_1", "predecessor chain.previous_hash txn_1"]
    ],
    ["nothing before it", { ...whole, predecessor: "none" }, ["predecessor chain.previous_hash txn_1"]],
    ["input", { ...whole, known: { ...known, inputHash: hashes.outputHash } }, ["record hash record_hash txn_1"]],
    ["output", { ...whole, known: { ...known, outputHash: hashes.inputHash } }, ["record hash record_hash txn_1"]],
    ["context", { ...whole, known: { ...known, contextHash: null } }, ["record hash record_hash txn_1"]],
    [
      "another receipt",
      { ...whole, receipt: { ...receipt, transaction_id: "txn_2" } },
      ["replayed transaction_id txn_1"]
    ],
    [
      "the ledger's own verdict",
      { ...whole, ledger: answer({ is_valid: false, verification: { input_hash: false, payload_available: false } }) },
      ["ledger's verdict input_hash txn_1"]
    ],
    ["an answer that is none", { ledger: { error: "no" } }, ["malformed"]],
    ["an answer without a verdict", { ledger: { ...answer(), is_valid: "yes" } }, ["malformed"]],
    ["an answer without a previous hash", { ledger: { ...answer(), chain: { record_hash: own } } }, ["malformed"]]
  ]
  it.each(cases)("%s", (_, sources, problems) => {
    assert.deepStrictEqual(problemsOf(sources), problems)
    assert.strictEqual(verifyRecord(sources).verdict, "invalid")
  })
})

describe("each thing that is not known is missing", () => {
  const missingOf = (sources: RecordSources) => {
    const { missing, verdict } = verifyRecord(sources)
    assert.strictEqual(verdict, "indeterminate")
    return missing.join("; ")
  }

  it.each([
    ["the ledger's answer", { known }, "the ledger's answer"],
    ["the record before", { ...whole, predecessor: undefined }, "the record before it"],
    [
      "a hash of its input",
      { ...whole, known: { ...known, inputHash: undefined } },
      "the hash of input as it was sent"
    ],
    [
      "all hashes",
      { ...whole, known: { decision: known.decision } },
      "the hash of input, output, context as it was sent"
    ],
    ["its fields", { ...whole, known: { ...known, decision: undefined } }, "policy, type and confidence"],
    [
      "who set a version that was not sent",
      { ...whole, known: { ...known, decision: { ...known.decision, policyVersion: undefined } as never } },
      "who set policyVersion"
    ],
    [
      "what was sent first under its key",
      { ...whole, known: { ...known, inputHash: hashes.outputHash, replayed: true } },
      "what was sent first under this idempotency key"
    ]
  ] as ReadonlyArray<readonly [string, RecordSources, string]>)("%s", (_, sources, missing) => {
    assert.include(missingOf(sources), missing)
  })
})

describe("a payload", () => {
  const payload = { input: { a: 1 }, output: { b: 2 }, context: { c: 3 } }

  it("gives the hashes that nobody kept", () => {
    const { problems, proven } = verifyRecord({ ...whole, known: undefined, payload })
    assert.deepStrictEqual(problems, [])
    assert.include(proven, "the record hash, computed here, is made of what was sent")
  })

  it.each(["input", "output", "context"] as const)("with another %s than the one that was sent is named", (part) => {
    const { problems } = verifyRecord({ ...whole, payload: { ...payload, [part]: { z: 0 } } })
    assert.deepStrictEqual(
      problems.map(({ path, reason }) => [reason, path]),
      [["differs", part]]
    )
  })

  const committed = (commitment: object) => ({ ...payload, context: { xase_evidence: { commitment } } })

  it("with evidence of a later version is not called tampered with", () => {
    const { missing, problems } = verifyRecord({ payload: committed({ version: 2, algorithm: "sha512" }) })
    assert.deepStrictEqual(problems, [])
    assert.include(missing, "a verifier for commitments of version 2 (sha512)")
  })

  it.each([
    ["no commitment", {}, ""],
    ["no version", { version: "1", algorithm: "sha256" }, ".commitment.version"],
    ["a version without its members", { version: 1, algorithm: "sha256" }, ".commitment"]
  ])("with %s in its evidence is malformed", (_, commitment, path) => {
    const context = path === "" ? { xase_evidence: {} } : { xase_evidence: { commitment } }
    const { problems } = verifyRecord({ payload: { ...payload, context } })
    assert.strictEqual(problems[0]?.path, `context.xase_evidence${path}`)
  })
})

describe("a receipt without the ledger", () => {
  it("is made of a decision behind a record, or not, or that cannot be known", () => {
    assert.strictEqual(verifyReceipt(receipt, hashes, previousHash).verdict, "valid")
    assert.strictEqual(verifyReceipt(receipt, hashes, null).problems[0]?.reason, "record hash")
    assert.strictEqual(
      verifyReceipt(receipt, { ...hashes, inputHash: hashes.outputHash }, previousHash).verdict,
      "invalid"
    )
    assert.include(verifyReceipt(receipt, hashes, undefined).missing.join(), "the hash of the record before it")
    assert.include(verifyReceipt(receipt, {}, previousHash).missing.join(), "the hashes of input, output and context")
    assert.strictEqual(
      verifyReceipt({ ...receipt, record_hash: "x" }, hashes, previousHash).problems[0]?.reason,
      "malformed"
    )
    const other = { ...hashes, receipt: { ...receipt, transaction_id: "txn_2" } }
    const { problems } = verifyReceipt(receipt, other, previousHash)
    assert.deepStrictEqual([problems[0]?.reason, problems[0]?.path], ["replayed", "transaction_id"])
    assert.include(problems[0]?.message ?? "", "txn_2")
  })
})

describe("reading the ledger's answer", () => {
  it("takes what is there and names the checks that failed", () => {
    const claim = readClaim(
      answer({ verification: { input_hash: false, chain_integrity: true, payload_available: false } })
    )
    assert.deepStrictEqual(claim, {
      transactionId,
      recordHash: own,
      previousHash,
      timestamp,
      stored: { policyId: "p", policyVersion: "1", decisionType: "FRAUD", confidence: 0.5, processingTime: 7 },
      isValid: true,
      failedChecks: ["input_hash"]
    })
    assert.isUndefined(readClaim(null))
    assert.isUndefined(readClaim({ ...answer(), transaction_id: 1 }))
    assert.deepStrictEqual(readClaim({ ...answer(), verification: undefined })?.failedChecks, [])
  })
})

describe("a field that was recorded and is not there", () => {
  const without = (name: string) => {
    const whole = answer()
    const metadata = Object.fromEntries(Object.entries(whole.metadata).filter(([key]) => key !== name))
    return { ...whole, metadata }
  }

  it.each([
    ["policy_id", "policyId"],
    ["policy_version", "policyVersion"],
    ["decision_type", "decisionType"],
    ["confidence", "confidence"],
    ["processing_time", "processingTime"]
  ])("%s is removed, emptied or of another type: each is named", (name, path) => {
    for (const ledger of [without(name), answer({}, {}, { [name]: null }), answer({}, {}, { [name]: { a: 1 } })]) {
      assert.deepStrictEqual(problemsOf({ ...whole, ledger }), [`differs ${path} ${transactionId}`])
    }
  })
})
