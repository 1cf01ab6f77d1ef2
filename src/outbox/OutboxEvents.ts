/**
 * What an outbox reports of the records that pass through it. `Settlement` implements it, so that an outbox needs to know
 * nothing of delivery.
 */
import type { LedgerRecord } from "../decision/DecisionRecord.ts"

/** The life of a record in an outbox, as it happens. */
export interface OutboxEvents {
  /** The record is accepted, unless it is withdrawn. */
  readonly enter: (record: LedgerRecord) => void
  /** Undoes `enter`: the record could not be stored. */
  readonly withdraw: (record: LedgerRecord) => void
  /** Notes that an own record is in the durable outbox, where any client of it may deliver it. */
  readonly keep: (record: LedgerRecord) => void
  /** Starts the delivery of an own record from the durable outbox; `false` when it is no own record that waits there. */
  readonly claim: (record: LedgerRecord) => boolean
  /** Enters a record that another client accepted. */
  readonly adopt: (record: LedgerRecord) => void
  /** Leaves a kept record to the other clients of the durable outbox. */
  readonly handOver: (record: LedgerRecord) => void
}
