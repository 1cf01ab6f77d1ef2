/**
 * Verifies a whole ledger, record by record from the newest to the oldest, in constant memory.
 *
 * Links are followed by hash. A link that does not lead to the next older record is told apart: the record it names is
 * elsewhere (`order`), two records name one predecessor (`fork`), or it is nowhere (`predecessor`: something was removed or
 * rewritten).
 */
import type { Problem } from "./Verdict.ts"

/** A record as the walk meets it. */
export interface WalkedRecord {
  readonly transactionId: string
  readonly recordHash: string
  readonly previousHash: string | null
}

/** Finds records of the walk by their hash; for large ledgers kept on disk. */
export interface WalkIndex {
  /** Notes a record. */
  readonly add: (record: WalkedRecord) => void
  /** The record with this hash, among those noted. */
  readonly find: (recordHash: string) => WalkedRecord | undefined
}

/** An index in memory. */
export const memoryIndex = (): WalkIndex => {
  const records = new Map<string, WalkedRecord>()
  return {
    add: (record) => void records.set(record.recordHash, record),
    find: (recordHash) => records.get(recordHash)
  }
}

/** Where a walk stands; JSON, so that it can go on later. */
export interface WalkState {
  readonly records: number
  /** The newest record: the head of the ledger. */
  readonly head: WalkedRecord | undefined
  /** The oldest record so far. */
  readonly oldest: WalkedRecord | undefined
  /** Links that did not lead to the next older record, to be told apart at the end. */
  readonly broken: ReadonlyArray<BrokenLink>
}

/** A link that does not lead where it should. */
export interface BrokenLink {
  readonly newer: WalkedRecord
  readonly older: WalkedRecord
}

/** The state before the first record. */
export const start: WalkState = { records: 0, head: undefined, oldest: undefined, broken: [] }

/** More broken links than this are counted and not told apart. */
const maxBroken = 10_000

/** Goes on to the next older record. */
export const step = (state: WalkState, record: WalkedRecord, index: WalkIndex): WalkState => {
  index.add(record)
  const newer = state.oldest
  const isBroken = newer !== undefined && newer.previousHash !== record.recordHash
  return {
    records: state.records + 1,
    head: state.head ?? record,
    oldest: record,
    broken: isBroken && state.broken.length < maxBroken ? [...state.broken, { newer, older: record }] : state.broken
  }
}

/** What the ledger must still have. */
export interface KnownHead {
  readonly transactionId: string
  readonly recordHash: string
}

/** Says what is wrong with the chain as a whole, once the walk has reached the oldest record. */
export const finish = (state: WalkState, index: WalkIndex, knownHead?: KnownHead): ReadonlyArray<Problem> => {
  const problems = state.broken.map((link) => nameOf(link, index))
  const { oldest } = state
  if (oldest !== undefined && oldest.previousHash !== null) {
    problems.push({
      reason: "predecessor",
      transactionId: oldest.transactionId,
      path: "chain.previous_hash",
      message: `the oldest record, ${oldest.transactionId}, follows ${oldest.previousHash}, which no record has: the beginning was removed`
    })
  }
  if (knownHead !== undefined && index.find(knownHead.recordHash) === undefined) {
    problems.push({
      reason: "rolled back",
      transactionId: knownHead.transactionId,
      path: "record_hash",
      message: `the head that was seen before, ${knownHead.transactionId}, is not in the ledger any more`
    })
  }
  return problems
}

const nameOf = ({ newer, older }: BrokenLink, index: WalkIndex): Problem => {
  const about = { transactionId: newer.transactionId, path: "chain.previous_hash" }
  if (newer.previousHash === older.previousHash) {
    return {
      ...about,
      reason: "fork",
      message: `${newer.transactionId} and ${older.transactionId} follow the same record`
    }
  }
  if (newer.previousHash === null) {
    return {
      ...about,
      reason: "order",
      message: `${newer.transactionId} says that it is the first, but records are before it`
    }
  }
  const elsewhere = index.find(newer.previousHash)
  if (elsewhere !== undefined) {
    return {
      ...about,
      reason: "order",
      message: `${newer.transactionId} follows ${elsewhere.transactionId}, but ${older.transactionId} stands before it`
    }
  }
  return {
    ...about,
    reason: "predecessor",
    message: `${newer.transactionId} follows ${newer.previousHash}, which no record has: what stood between it and ${older.transactionId} was removed or rewritten`
  }
}
