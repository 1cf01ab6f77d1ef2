/**
 * The report of an audit: what was walked, what was found, and the hashes with which anybody can walk it again.
 */

import { isHash, isPrefixedHash, member, text } from "./Json.ts"
import { recordHash } from "./LedgerHash.ts"
import { conclude, type Findings, findings, type Problem, type Verdict } from "./Verdict.ts"

/** The name of the format. */
export const format = "xase-audit-report"

/** The version of the format. */
export const version = 1

/**
 * A record of the ledger in a report, newest first: id, the hash it follows (`null` for the first), the hashes of input,
 * output and context as they were sent (`null` where they are not known or, for the context, absent), its own hash.
 */
export type ReportedRecord = readonly [
  transactionId: string,
  previousHash: string | null,
  inputHash: string | null,
  outputHash: string | null,
  contextHash: string | null,
  recordHash: string
]

/** What an audit found, without the records themselves. */
export interface ReportSummary {
  readonly format: typeof format
  readonly version: typeof version
  /** ISO 8601, UTC. */
  readonly createdAt: string
  /** The address of the ledger. */
  readonly ledger: string
  readonly verdict: Verdict["verdict"]
  readonly sentence: string
  readonly counts: {
    readonly records: number
    readonly valid: number
    readonly invalid: number
    readonly indeterminate: number
  }
  /** The newest record: keep it, and the next audit proves that nothing after it was taken away. */
  readonly head: { readonly transactionId: string; readonly recordHash: string } | null
  readonly problems: ReadonlyArray<Problem>
  /** What could not be proven, and for how many records. */
  readonly missing: ReadonlyArray<{ readonly what: string; readonly records: number }>
  readonly producers: ReadonlyArray<{
    readonly producer: string
    readonly commitments: number
    readonly sentence: string
  }>
}

/** A report, complete. */
export interface AuditReport extends ReportSummary {
  readonly records: ReadonlyArray<ReportedRecord>
}

const hashOrNull = (value: unknown): value is string | null => value === null || isPrefixedHash(value)

const isReportedRecord = (value: unknown): value is ReportedRecord =>
  Array.isArray(value) &&
  value.length === 6 &&
  typeof value[0] === "string" &&
  (value[1] === null || isHash(value[1])) &&
  value.slice(2, 5).every(hashOrNull) &&
  isHash(value[5])

/**
 * Walks the records of a report again, offline: each hash from its parts where they are known, each link, the head and the
 * number. Says whether the report is consistent in itself, and repeats what it found wrong with the ledger.
 *
 * @param report the parsed JSON of a report.
 */
export const verifyReport = (report: unknown): Verdict => {
  const found = findings()
  const malformed = (path: string, message: string): void => {
    found.problems.push({ reason: "malformed", path, message })
  }
  const name = "The report"
  if (member(report, "format") !== format) {
    malformed("format", `this is not a ${format}`)
    return conclude(name, found)
  }
  const itsVersion = member(report, "version")
  if (itsVersion !== version) {
    found.missing.push(`a verifier for reports of version ${String(itsVersion)}`)
    return conclude(name, found)
  }
  const records = member(report, "records")
  if (!Array.isArray(records) || !records.every(isReportedRecord)) {
    malformed("records", "its records are missing or malformed")
    return conclude(name, found)
  }
  const named = namedIn(report)
  walk(records, named, found.problems)
  const head = member(report, "head")
  const [newest] = records
  const isItsHead =
    newest === undefined
      ? head === null
      : text(head, "recordHash") === newest[5] && text(head, "transactionId") === newest[0]
  if (!isItsHead) malformed("head", "its head is not its newest record")
  repeatVerdict(report, found)
  if (member(member(report, "counts"), "records") !== records.length) {
    malformed("counts.records", `it says another number than the ${records.length} records that it lists`)
  }
  const unknown = records.filter((record) => record[2] === null || record[3] === null).length
  if (unknown > 0) found.missing.push(`the hashes of what was sent for ${unknown} of ${records.length} records`)
  if (records.length === 0) found.missing.push("a record: the report lists none")
  else if (found.problems.length === 0) found.proven.push(`${records.length} records follow each other by their hashes`)
  return conclude(name, found)
}

/** A report is no better than what its audit found: its own verdict and problems count, and must agree. */
const repeatVerdict = (report: unknown, found: Findings): void => {
  const verdict = member(report, "verdict")
  const problems = member(report, "problems")
  const missing = member(report, "missing")
  const counts = member(report, "counts")
  const sentence = text(report, "sentence") ?? "no reason is given"
  if (!Array.isArray(problems) || !Array.isArray(missing)) {
    found.problems.push({ reason: "malformed", path: "problems", message: "its findings are missing" })
    return
  }
  const isInvalid = verdict === "invalid" || problems.length > 0 || member(counts, "invalid") !== 0
  const isOpen = verdict === "indeterminate" || missing.length > 0 || member(counts, "indeterminate") !== 0
  if (isInvalid) {
    found.problems.push({
      reason: "audit",
      path: "verdict",
      message: `the audit found the ledger invalid: ${sentence}`
    })
  } else if (isOpen) found.missing.push(`what the audit could not prove (${sentence})`)
  else if (verdict !== "valid") {
    found.problems.push({ reason: "malformed", path: "verdict", message: "it has no verdict" })
  }
}

/** The records of which the report itself says that something is wrong. */
const namedIn = (report: unknown): ReadonlySet<string> => {
  const problems = member(report, "problems")
  const ids = Array.isArray(problems) ? problems.map((problem) => text(problem, "transactionId")) : []
  return new Set(ids.filter((id) => id !== undefined))
}

const walk = (records: ReadonlyArray<ReportedRecord>, named: ReadonlySet<string>, problems: Array<Problem>): void => {
  for (const [index, [transactionId, previousHash, inputHash, outputHash, contextHash, hash]] of records.entries()) {
    const older = records[index + 1]
    const note = named.has(transactionId) ? " (the report says so too)" : ", which the report does not say"
    if (inputHash !== null && outputHash !== null) {
      if (recordHash({ previousHash, inputHash, outputHash, contextHash }) !== hash) {
        problems.push({
          reason: "record hash",
          transactionId,
          path: "record_hash",
          message: `${transactionId} is not made of what was sent${note}`
        })
      }
    }
    if ((older?.[5] ?? null) !== previousHash) {
      problems.push({
        reason: "predecessor",
        transactionId,
        path: "chain.previous_hash",
        message: `${transactionId} does not follow ${older?.[0] ?? "nothing"}${note}`
      })
    }
  }
}
