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
export type { Commitment, CommittedDecision, Evidence } from "./Commitment.ts"
export { evidenceKey } from "./Commitment.ts"
export {
  canonicalForm,
  hashObject,
  type JsonObject,
  type RecordHashParts,
  recordHash
} from "./Evidence.ts"
export { type BundleTrust, type ProofBundle, type ReadBundle, readBundle, verifyBundle } from "./verify/Bundle.ts"
export { hashOfCommitment, type Payload, type ReadEvidence, readEvidence } from "./verify/CommitmentCheck.ts"
export * as LedgerWalk from "./verify/LedgerWalk.ts"
export { type ChainedCommitment, type KnownOfChain, verifyProducerChain } from "./verify/ProducerChain.ts"
export {
  type KnownRecord,
  type Predecessor,
  type ReceiptFacts,
  type RecordSources,
  verifyReceipt,
  verifyRecord
} from "./verify/RecordCheck.ts"
export { type AuditReport, type ReportedRecord, type ReportSummary, verifyReport } from "./verify/Report.ts"
export { type Envelope, payloadType, toEnvelope, verifySignature } from "./verify/Signature.ts"
export { type ParsedTrustPolicy, parseTrustPolicy, type TrustedKey, type TrustPolicy } from "./verify/TrustPolicy.ts"
export { combine, type Problem, type Reason, type Verdict } from "./verify/Verdict.ts"
