/**
 * The Xase SDK for Effect applications. Plain TypeScript uses `xase-sdk/promise`.
 */

export type { RecordOptions } from "./client/Client.ts"
export type { Verified } from "./client/RecordVerifier.ts"
export { type Service as XaseService, Xase } from "./client/Xase.ts"
export { XaseLive } from "./client/XaseLive.ts"
export { Verification, VerificationFromLedger, type VerificationJson } from "./contract/LedgerClaim.ts"
export { Receipt, ReceiptFromLedger, type ReceiptJson } from "./contract/Receipt.ts"
export { CustomDecisionType, Decision, type DecisionType, decisionTypes } from "./decision/Decision.ts"
export type { SignerOptions } from "./decision/Signer.ts"
export type { DeliveryState, Stats } from "./delivery/Delivery.ts"
export * as Metrics from "./delivery/Metrics.ts"
export type { Delivered, Dropped, DropReason, Failed, Outcome } from "./delivery/Outcome.ts"
export { type Alert, CurrentObserver, type Observer } from "./delivery/Settlement.ts"
export * as Evidence from "./evidence/LedgerHash.ts"
export type { Problem, Reason, Verdict } from "./evidence/Verdict.ts"
export type { Options as XaseOptions, OutagePolicy, QueuePolicy } from "./settings/XaseConfig.ts"
export { version } from "./Version.ts"
export * from "./XaseError.ts"
