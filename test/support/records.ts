/**
 * Records without a decision behind them.
 */
import type { LedgerRecord } from "../../src/decision/DecisionRecord.ts"

let made = 0

/** A record that differs from all others in its key. */
export const record = (over: Partial<LedgerRecord> = {}): LedgerRecord => ({
  idempotencyKey: `key_${String(++made).padStart(20, "0")}`,
  body: "{}",
  draft: undefined,
  byteLength: 2,
  policy: "p",
  transactionId: undefined,
  fingerprint: undefined,
  span: undefined,
  timeout: undefined,
  sequence: 0,
  ...over
})
