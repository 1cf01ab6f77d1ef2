/**
 * Holds the fields that the ledger stores beside its hashes against what was sent.
 */
import type { CommittedDecision } from "./Commitment.ts"
import type { Findings } from "./Verdict.ts"

/** The fields as the ledger shows them; `null` or absent where it has none, `undefined` where it was not asked. */
export interface StoredFields {
  readonly policyId?: string | null | undefined
  readonly policyVersion?: string | null | undefined
  readonly decisionType?: string | null | undefined
  readonly confidence?: number | null | undefined
  readonly processingTime?: number | null | undefined
}

const names = ["policyId", "policyVersion", "decisionType", "confidence", "processingTime"] as const

const shown = (value: string | number | null): string => (value === null ? "nothing" : JSON.stringify(value))

/** Names every field that is not what was sent. */
export const checkFields = (
  stored: StoredFields,
  sent: Partial<CommittedDecision>,
  transactionId: string | undefined,
  found: Findings
): void => {
  const before = found.problems.length
  let compared = 0
  for (const name of names) {
    const value = stored[name]
    if (value === undefined) continue
    compared++
    const expected = sent[name] ?? null
    if (value === expected) continue
    // An active policy on the ledger fills in a version that was not sent (ledger contract).
    if (name === "policyVersion" && expected === null) {
      found.missing.push("who set policyVersion, which was not sent (an active policy of the ledger does that)")
      continue
    }
    found.problems.push({
      reason: "differs",
      transactionId,
      path: name,
      message: `${name} is ${shown(value)} in the ledger, but ${shown(expected)} was recorded`
    })
  }
  if (compared > 0 && found.problems.length === before) {
    found.proven.push("policy, type, confidence and processing time are what was recorded")
  }
}
