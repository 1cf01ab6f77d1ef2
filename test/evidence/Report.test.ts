/**
 * A report is no better than the audit that wrote it.
 */
import { assert, describe, it } from "@effect/vitest"
import { recordHash } from "../../src/evidence/LedgerHash.ts"
import { verifyReport } from "../../src/verify.ts"

const part = (digit: string): string => `sha256:${digit.repeat(64)}`
const first = recordHash({ previousHash: null, inputHash: part("a"), outputHash: part("b"), contextHash: null })
const second = recordHash({ previousHash: first, inputHash: part("c"), outputHash: part("d"), contextHash: null })

const report = {
  format: "xase-audit-report",
  version: 1,
  verdict: "valid",
  sentence: "The ledger is valid",
  counts: { records: 2, valid: 2, invalid: 0, indeterminate: 0 },
  head: { transactionId: "txn_2", recordHash: second },
  problems: [],
  missing: [],
  producers: [],
  records: [
    ["txn_2", first, part("c"), part("d"), null, second],
    ["txn_1", null, part("a"), part("b"), null, first]
  ]
}
const empty = { ...report, records: [], counts: { ...report.counts, records: 0 } }

describe("a report", () => {
  it("of a valid audit whose records follow each other is valid", () => {
    assert.strictEqual(verifyReport(report).verdict, "valid")
  })

  it.each([
    ["that says itself that the ledger is invalid", { ...report, verdict: "invalid" }, "verdict"],
    ["that names a problem and says valid", { ...report, problems: [{ reason: "differs" }] }, "verdict"],
    ["that counts an invalid record", { ...report, counts: { ...report.counts, invalid: 1 } }, "verdict"],
    ["without a verdict", { ...report, verdict: "fine" }, "verdict"],
    ["without its findings", { ...report, problems: undefined }, "problems"],
    ["from which all records were taken", empty, "head"],
    ["whose head is another record", { ...report, head: { ...report.head, transactionId: "txn_1" } }, "head"]
  ])("%s is invalid", (_, changed, path) => {
    const { problems, verdict } = verifyReport(changed)
    assert.strictEqual(verdict, "invalid")
    assert.include(
      problems.map((problem) => problem.path),
      path
    )
  })

  it.each([
    ["that could not prove everything", { ...report, missing: [{ what: "payloads", records: 1 }] }],
    ["that says so in its verdict", { ...report, verdict: "indeterminate" }],
    ["of no records", { ...empty, head: null }]
  ])("%s is not valid and accuses nobody", (_, changed) => {
    assert.strictEqual(verifyReport(changed).verdict, "indeterminate")
  })
})
