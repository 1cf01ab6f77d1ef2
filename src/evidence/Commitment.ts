/**
 * What a producer says of a decision inside the context that the ledger hashes, so that the ledger's hash covers all of it.
 *
 * The ledger's `record_hash` is made of input, output and context. The commitment, which is part of the context under
 * {@link evidenceKey}, brings in what that leaves out: policy, confidence, type, times, model, idempotency key. It also
 * numbers the decisions of its producer and names the commitment before it, so each producer has a chain of its own that
 * no ledger can mend. Pure text and hashes: no Effect, no I/O.
 *
 * **The format, version 1**, each text in its RFC 8785 form, each hash the SHA-256 of its UTF-8 bytes:
 *
 * - `decisionHash`: of `{"context":"sha256:...","decision":{...},"input":"sha256:...","output":"sha256:..."}`, where
 *   `decision` is the commitment's own member and `context`, `input` and `output` are the hashes of those objects, the
 *   context without its `xase_evidence` member.
 * - `previousHash`: of the commitment that the producer made before this one; `null` for its first.
 */
import { sha256Hex } from "./Sha256.ts"

/** The member of `context` that belongs to the SDK. */
export const evidenceKey = "xase_evidence"

/** The version of the format that is written. */
export const version = 1

/** The hash of the format that is written. */
export const algorithm = "sha256"

/** The fields of a decision that the ledger's own hash leaves out, by their names in a request, in canonical order. */
export const committedFields = [
  "confidence",
  "decisionType",
  "featureSchemaHash",
  "idempotencyKey",
  "modelHash",
  "modelId",
  "modelVersion",
  "policyId",
  "policyVersion",
  "processingTime",
  "recordedAt",
  "storePayload"
] as const

/** What the ledger's hash leaves out. Absent fields were not given. `processingTime` in whole ms, `recordedAt` epoch ms. */
export interface CommittedDecision {
  readonly confidence?: number
  readonly decisionType?: string
  readonly featureSchemaHash?: string
  readonly idempotencyKey: string
  readonly modelHash?: string
  readonly modelId?: string
  readonly modelVersion?: string
  readonly policyId: string
  readonly policyVersion?: string
  readonly processingTime?: number
  readonly recordedAt: number
  readonly storePayload?: boolean
}

/** What a producer commits to before a decision is sent: hashes of its parts, its fields, its place in the chain. */
export interface Commitment {
  readonly algorithm: typeof algorithm
  readonly decision: CommittedDecision
  /** 64 hexadecimal digits. */
  readonly decisionHash: string
  /** 64 hexadecimal digits; `null` for the first commitment of a producer. */
  readonly previousHash: string | null
  /** The id of the producer: one for each start of a client, unless a journal lets it go on. */
  readonly producer: string
  /** From 1, in the order in which the producer accepted decisions. */
  readonly sequence: number
  readonly version: typeof version
}

/** The customer's signature over a commitment, see `Signature`. */
export interface CommitmentSignature {
  readonly keyId: string
  /** Base64. */
  readonly signature: string
}

/** What stands under {@link evidenceKey}. */
export interface Evidence {
  readonly commitment: Commitment
  readonly signature?: CommitmentSignature
}

/** What a commitment is made of, each already in canonical text. */
export interface CommitmentParts {
  readonly input: string
  readonly output: string
  /** Without the evidence. */
  readonly context: string
  readonly decision: string
  readonly producer: string
  readonly sequence: number
  readonly previousHash: string | null
}

/** The ledger's form of a hash. */
export const prefixed = (text: string): string => `sha256:${sha256Hex(text)}`

/** The hash that binds a decision; every part in canonical text, the context without the evidence. */
export const decisionHash = (parts: Pick<CommitmentParts, "context" | "decision" | "input" | "output">): string =>
  sha256Hex(
    `{"context":"${prefixed(parts.context)}","decision":${parts.decision},"input":"${prefixed(parts.input)}","output":"${prefixed(parts.output)}"}`
  )

/** The canonical text of a commitment. */
export const write = (parts: CommitmentParts): string => {
  const previous = parts.previousHash === null ? "null" : `"${parts.previousHash}"`
  return `{"algorithm":"${algorithm}","decision":${parts.decision},"decisionHash":"${decisionHash(parts)}","previousHash":${previous},"producer":"${parts.producer}","sequence":${parts.sequence},"version":${version}}`
}

/** The canonical text of what stands under {@link evidenceKey}. */
export const writeEvidence = (commitment: string, signature: CommitmentSignature | undefined): string =>
  signature === undefined
    ? `{"commitment":${commitment}}`
    : `{"commitment":${commitment},"signature":{"keyId":${JSON.stringify(signature.keyId)},"signature":"${signature.signature}"}}`
