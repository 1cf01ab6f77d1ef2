/**
 * Reads the commitment out of a context and holds it against the decision that it stands in.
 */
import * as Commitment from "./Commitment.ts"
import { canonical, isHash, isObject, member } from "./Json.ts"
import type { JsonObject } from "./LedgerHash.ts"
import { sha256Hex } from "./Sha256.ts"
import type { Findings, Problem } from "./Verdict.ts"

/** The evidence in a context, or why there is none to be had. */
export type ReadEvidence =
  | { readonly _tag: "Evidence"; readonly evidence: Commitment.Evidence; readonly text: string }
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Unknown"; readonly missing: string }
  | { readonly _tag: "Malformed"; readonly problem: Problem }

const malformed = (path: string, message: string): ReadEvidence => ({
  _tag: "Malformed",
  problem: { reason: "malformed", path: `context.${Commitment.evidenceKey}${path}`, message }
})

const isCount = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value)

const textFields = [
  "decisionType",
  "featureSchemaHash",
  "modelHash",
  "modelId",
  "modelVersion",
  "policyVersion"
] as const
const numberFields = ["confidence", "processingTime"] as const

const isCommittedDecision = (value: unknown): value is Commitment.CommittedDecision => {
  if (!isObject(value)) return false
  const absentOr = (name: string, type: "string" | "number" | "boolean"): boolean =>
    member(value, name) === undefined || typeof member(value, name) === type
  return (
    typeof value.idempotencyKey === "string" &&
    typeof value.policyId === "string" &&
    isCount(value.recordedAt) &&
    textFields.every((name) => absentOr(name, "string")) &&
    numberFields.every((name) => absentOr(name, "number")) &&
    absentOr("storePayload", "boolean") &&
    Object.keys(value).every((name) => Commitment.committedFields.some((field) => field === name))
  )
}

const isCommitment = (value: JsonObject): boolean =>
  isCommittedDecision(value.decision) &&
  isHash(value.decisionHash) &&
  (value.previousHash === null || isHash(value.previousHash)) &&
  typeof value.producer === "string" &&
  isCount(value.sequence) &&
  value.sequence >= 1 &&
  Object.keys(value).length === 7

const isSignature = (value: unknown): value is Commitment.CommitmentSignature =>
  isObject(value) && typeof value.keyId === "string" && typeof value.signature === "string"

const isEvidence = (value: unknown): value is Commitment.Evidence =>
  isObject(value) &&
  isObject(value.commitment) &&
  isCommitment(value.commitment) &&
  (value.signature === undefined || isSignature(value.signature))

/** Reads what stands under `xase_evidence` in a context. */
export const readEvidence = (context: JsonObject): ReadEvidence => {
  const found = member(context, Commitment.evidenceKey)
  if (found === undefined) return { _tag: "Absent" }
  const commitment = member(found, "commitment")
  if (!isObject(commitment)) return malformed("", "there is evidence, but no commitment in it")
  const { algorithm, version } = commitment
  if (version !== Commitment.version || algorithm !== Commitment.algorithm) {
    return isCount(version) && typeof algorithm === "string"
      ? { _tag: "Unknown", missing: `a verifier for commitments of version ${version} (${algorithm})` }
      : malformed(".commitment.version", "the commitment names no version and algorithm")
  }
  if (!isEvidence(found)) return malformed(".commitment", "the commitment does not have the members of its version")
  const text = canonical({ ...found.commitment })
  if (text === undefined) return malformed(".commitment", "the commitment has no canonical form")
  return { _tag: "Evidence", evidence: found, text }
}

/** The objects of a decision as they were recorded. */
export interface Payload {
  readonly input: JsonObject
  readonly output: JsonObject
  /** Absent where the record has no context. */
  readonly context?: JsonObject | undefined
}

const withoutEvidence = (context: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(context).filter(([name]) => name !== Commitment.evidenceKey))

/** Recomputes the hash that binds the decision from its payload. */
export const checkDecisionHash = (payload: Payload, { commitment }: Commitment.Evidence, found: Findings): void => {
  const input = canonical(payload.input)
  const output = canonical(payload.output)
  const context = canonical(withoutEvidence(payload.context ?? {}))
  const decision = canonical({ ...commitment.decision })
  if (input === undefined || output === undefined || context === undefined || decision === undefined) {
    found.problems.push({ reason: "malformed", path: "payload", message: "the payload has no canonical form" })
  } else if (Commitment.decisionHash({ input, output, context, decision }) !== commitment.decisionHash) {
    found.problems.push({
      reason: "commitment",
      path: `context.${Commitment.evidenceKey}.commitment.decisionHash`,
      message: "the commitment was made over another input, output, context or decision"
    })
  } else found.proven.push("the commitment covers this input, output, context and decision")
}

/** The hash by which the next commitment of the producer names this one. */
export const hashOfCommitment = (text: string): string => sha256Hex(text)
