/**
 * What the body of a sealed record says of itself: the hashes that the ledger will compute, the fields that it shows, the
 * commitment.
 */
import { committedFields } from "./Commitment.ts"
import { hashOfCommitment, readEvidence } from "./CommitmentCheck.ts"
import { isObject, member, parse } from "./Json.ts"
import { hashObject } from "./LedgerHash.ts"
import type { ChainedCommitment } from "./ProducerChain.ts"

/** What a sealed body says of itself: the hashes that the ledger will compute, its fields, its commitment. */
export interface SealedBody {
  readonly inputHash: string
  readonly outputHash: string
  readonly contextHash: string | null
  readonly decision: string
  readonly commitment: ChainedCommitment | undefined
}

/** Reads a sealed body. */
export const read = (body: string): SealedBody => {
  const parsed = parse(body)
  const [input, output, context] = ["input", "output", "context"].map((name) => member(parsed, name))
  const found = isObject(context) ? readEvidence(context) : undefined
  const decision = Object.fromEntries(
    committedFields.flatMap((name) => {
      const value = member(parsed, name)
      return value === undefined ? [] : [[name, value]]
    })
  )
  const noted = {
    inputHash: hashObject(isObject(input) ? input : {}),
    outputHash: hashObject(isObject(output) ? output : {}),
    contextHash: isObject(context) ? hashObject(context) : null
  }
  if (found?._tag !== "Evidence") return { ...noted, decision: JSON.stringify(decision), commitment: undefined }
  const { commitment } = found.evidence
  return {
    ...noted,
    decision: JSON.stringify(commitment.decision),
    commitment: { ...commitment, hash: hashOfCommitment(found.text) }
  }
}
