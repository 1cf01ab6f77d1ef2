import { assert, describe, it } from "@effect/vitest"
import { checkFields, type StoredFields } from "../../src/evidence/FieldCheck.ts"
import { findings } from "../../src/evidence/Verdict.ts"

const sent = { policyId: "p", policyVersion: "1", decisionType: "FRAUD", confidence: 0.5, processingTime: 7 }
const agreed = "policy, type, confidence and processing time are what was recorded"

const check = (stored: StoredFields, over: object = {}) => {
  const found = findings()
  checkFields(stored, { ...sent, ...over }, "txn_1", found)
  return found
}

describe("the fields that the ledger stores", () => {
  it("are proven when all are what was sent", () => {
    assert.deepStrictEqual(check(sent), { proven: [agreed], problems: [], missing: [] })
  })

  it("that were not sent are nothing in the ledger", () => {
    const none = { policyId: "p", policyVersion: null, decisionType: null, confidence: null, processingTime: null }
    const found = findings()
    checkFields(none, { policyId: "p" }, undefined, found)
    assert.deepStrictEqual(found, { proven: [agreed], problems: [], missing: [] })
  })

  it("that nobody asked for prove nothing and are not missed", () => {
    assert.deepStrictEqual(check({}), findings())
    assert.deepStrictEqual(check({ confidence: 0.5 }).proven, [agreed])
  })

  it.each([
    ["confidence", 0.6, "confidence is 0.6 in the ledger, but 0.5 was recorded"],
    ["confidence", null, "confidence is nothing in the ledger, but 0.5 was recorded"],
    ["policyId", "q", 'policyId is "q" in the ledger, but "p" was recorded'],
    ["policyVersion", "2", 'policyVersion is "2" in the ledger, but "1" was recorded'],
    ["decisionType", null, 'decisionType is nothing in the ledger, but "FRAUD" was recorded'],
    ["processingTime", 8, "processingTime is 8 in the ledger, but 7 was recorded"]
  ])("%s as %s is named: %s", (path, value, message) => {
    const { problems, proven } = check({ ...sent, [path]: value })
    assert.deepStrictEqual(problems, [{ reason: "differs", transactionId: "txn_1", path, message }])
    assert.deepStrictEqual(proven, [])
  })

  it("that appear although they were not sent are named", () => {
    const { problems } = check({ confidence: 0.9 }, { confidence: undefined })
    assert.strictEqual(problems[0]?.message, "confidence is 0.9 in the ledger, but nothing was recorded")
  })

  it("but a version that was not sent may be that of an active policy of the ledger", () => {
    const { missing, problems, proven } = check({ policyVersion: "9" }, { policyVersion: undefined })
    assert.deepStrictEqual(problems, [])
    assert.strictEqual(missing.length, 1)
    assert.include(missing[0] ?? "", "who set policyVersion")
    assert.deepStrictEqual(proven, [agreed])
  })

  it("leave what was found before as it is", () => {
    const found = findings()
    found.problems.push({ reason: "fork", path: "", message: "before" })
    checkFields(sent, sent, "txn_1", found)
    assert.deepStrictEqual(found.proven, [agreed])
    assert.strictEqual(found.problems.length, 1)
  })
})
