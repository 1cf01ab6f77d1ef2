/**
 * Checks evidence without asking anybody: receipts, records, chains, bundles, signatures.
 *
 * Runs in Node and in a browser, needs no Effect and talks to no network; whoever uses it brings what is to be verified. Every
 * answer is a `Verdict`: valid, invalid with reasons and paths, or indeterminate with what is missing.
 *
 * **Example**
 *
 * ```ts
 * import { readBundle, verifyBundle } from "xase-sdk/verify"
 *
 * const { bundle, problem } = readBundle(zip)
 * const verdict = bundle && (await verifyBundle(bundle, { policy }))
 * console.log(verdict?.sentence ?? problem?.message)
 * ```
 */

export { type BundleTrust, type ProofBundle, type ReadBundle, readBundle, verifyBundle } from "./evidence/Bundle.ts"
export type { Commitment, CommittedDecision, Evidence } from "./evidence/Commitment.ts"
export { evidenceKey } from "./evidence/Commitment.ts"
export { hashOfCommitment, type Payload, type ReadEvidence, readEvidence } from "./evidence/CommitmentCheck.ts"
export { type Envelope, payloadType, toEnvelope, verifySignature } from "./evidence/Dsse.ts"
export {
  canonicalForm,
  hashObject,
  type JsonObject,
  type RecordHashParts,
  recordHash
} from "./evidence/LedgerHash.ts"
export * as LedgerWalk from "./evidence/LedgerWalk.ts"
export { type ChainedCommitment, type KnownOfChain, verifyProducerChain } from "./evidence/ProducerChain.ts"
export {
  type KnownRecord,
  type Predecessor,
  type ReceiptFacts,
  type RecordSources,
  verifyReceipt,
  verifyRecord
} from "./evidence/RecordCheck.ts"
export { type AuditReport, type ReportedRecord, type ReportSummary, verifyReport } from "./evidence/Report.ts"
export { type ParsedTrustPolicy, parseTrustPolicy, type TrustedKey, type TrustPolicy } from "./evidence/TrustPolicy.ts"
export { combine, type Problem, type Reason, type Verdict } from "./evidence/Verdict.ts"
