/**
 * How an accepted record settled. Every accepted record gets exactly one outcome.
 */

import type { Receipt } from "../contract/Receipt.ts"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import type { DeliveryError } from "../XaseError.ts"

/**
 * Why a record was dropped: the outbox was full and a newer record took its place, the client was closed before the record
 * could be delivered, or the caller of `recordNow` gave up waiting.
 */
export type DropReason = "QueueFull" | "Shutdown" | "Interrupted"

/** What every outcome says about its record. */
export interface Settled {
  readonly idempotencyKey: string
  /** The application's own id, where it gave one. The ledger's id is in the receipt. */
  readonly transactionId: string | undefined
  readonly policy: string
}

/** The ledger has the record. */
export interface Delivered extends Settled {
  readonly _tag: "Delivered"
  readonly receipt: Receipt
}

/** The record was given up; `error.evidence` tells whether the ledger may have it. */
export interface Failed extends Settled {
  readonly _tag: "Failed"
  readonly error: DeliveryError
}

/** The record was given up without an answer; `started` tells whether sending had begun, so that the ledger may have it. */
export interface Dropped extends Settled {
  readonly _tag: "Dropped"
  readonly reason: DropReason
  readonly started: boolean
}

/** How an accepted record settled: `Delivered` with its receipt, `Failed` with an error, or `Dropped` with a reason. */
export type Outcome = Delivered | Failed | Dropped

const settled = ({ idempotencyKey, policy, transactionId }: LedgerRecord): Settled => ({
  idempotencyKey,
  transactionId,
  policy
})

/** The outcome of a record that the ledger has. */
export const delivered = (record: LedgerRecord, receipt: Receipt): Delivered => ({
  _tag: "Delivered",
  ...settled(record),
  receipt
})

/** The outcome of a record that was given up with an error. */
export const failed = (record: LedgerRecord, error: DeliveryError): Failed => ({
  _tag: "Failed",
  ...settled(record),
  error
})

/** The outcome of a record that was given up without an answer. */
export const dropped = (record: LedgerRecord, reason: DropReason, started: boolean): Dropped => ({
  _tag: "Dropped",
  ...settled(record),
  reason,
  started
})

/** Whether the ledger has the record, or may have it. */
export const mayBeRecorded = (outcome: Outcome): boolean => {
  switch (outcome._tag) {
    case "Delivered":
      return true
    case "Failed":
      return outcome.error.evidence !== "not recorded"
    case "Dropped":
      return outcome.started
  }
}
