/**
 * Remembers which decision an application-chosen idempotency key stands for (requirement R31).
 *
 * The ledger answers a used key with the first receipt whatever the new body says, so a second decision under the same
 * `transactionId` would be lost in silence. Within a process that is noticed here. Keys that the SDK makes are unique and
 * not remembered.
 */
import type { LedgerRecord } from "../decision/DecisionRecord.ts"

/** How a record stands to the records before it. */
export type Standing = "new" | "conflict" | "under way"

/** Remembers which decision an idempotency key of the application stands for. */
export interface KnownKeys {
  /** `under way`: the very same decision is accepted and not settled yet. */
  readonly standingOf: (record: LedgerRecord) => Standing
  readonly accepted: (record: LedgerRecord) => void
  /** The ledger has the record, or may have it: its key stands for it from now on. */
  readonly settled: (record: LedgerRecord) => void
  /** The ledger does not have the record, so its key is free for a corrected one. */
  readonly forgotten: (record: LedgerRecord) => void
}

/** How many settled keys are remembered. */
export const capacity = 10_000

interface Known {
  readonly fingerprint: string
  readonly underWay: boolean
  /** Whether the ledger has, or may have, the decision from an earlier time. */
  readonly isRecorded: boolean
}

/** Knows nothing yet. */
export const make = (): KnownKeys => {
  const known = new Map<string, Known>()
  let settledCount = 0

  const forgetOldestSettled = (): void => {
    for (const [key, { underWay }] of known) {
      if (underWay) continue
      known.delete(key)
      settledCount--
      return
    }
  }

  const underWay = ({ fingerprint, idempotencyKey }: LedgerRecord): Known | undefined => {
    const entry = fingerprint === undefined ? undefined : known.get(idempotencyKey)
    return entry?.underWay === true ? entry : undefined
  }

  const settled = (record: LedgerRecord): void => {
    const entry = underWay(record)
    if (entry === undefined) return
    known.set(record.idempotencyKey, { ...entry, underWay: false, isRecorded: true })
    settledCount++
    if (settledCount > capacity) forgetOldestSettled()
  }

  return {
    standingOf: ({ fingerprint, idempotencyKey }) => {
      const earlier = fingerprint === undefined ? undefined : known.get(idempotencyKey)
      if (earlier === undefined) return "new"
      if (earlier.fingerprint !== fingerprint) return "conflict"
      return earlier.underWay ? "under way" : "new"
    },
    accepted: ({ fingerprint, idempotencyKey }) => {
      if (fingerprint === undefined) return
      const earlier = known.get(idempotencyKey)
      if (earlier?.underWay === false) settledCount--
      known.delete(idempotencyKey)
      known.set(idempotencyKey, { fingerprint, underWay: true, isRecorded: earlier?.isRecorded === true })
    },
    settled,
    forgotten: (record) => {
      const entry = underWay(record)
      if (entry?.isRecorded === true) settled(record)
      else if (entry !== undefined) known.delete(record.idempotencyKey)
    }
  }
}
