/**
 * The Xase SDK for Effect applications. Plain TypeScript uses `xase-sdk/promise`.
 */
export { type Alert, CurrentObserver, type Observer } from "./Accounts.ts"
export { CustomDecisionType, Decision, type DecisionType, decisionTypes } from "./Decision.ts"
export type { DeliveryState, Stats } from "./Delivery.ts"
export * as Evidence from "./Evidence.ts"
export * as Metrics from "./Metrics.ts"
export type { Delivered, Dropped, DropReason, Failed, Outcome } from "./Outcome.ts"
export { Receipt, ReceiptFromLedger, type ReceiptJson } from "./Receipt.ts"
export type { SignerOptions } from "./Signer.ts"
export { Verification, VerificationFromLedger, type VerificationJson } from "./Verification.ts"
export type { Verified } from "./Verifier.ts"
export { version } from "./Version.ts"
export type { Problem, Reason, Verdict } from "./verify/Verdict.ts"
export { type RecordOptions, type Service as XaseService, Xase } from "./Xase.ts"
export type { Options as XaseOptions, OutagePolicy, QueuePolicy } from "./XaseConfig.ts"
export * from "./XaseError.ts"
export { XaseLive } from "./XaseLive.ts"
