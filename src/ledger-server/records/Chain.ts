/**
 * The chain of records: how a record is linked to the one before it, and how a stored link is checked.
 *
 * Pure functions over hashes. The mathematics is `Evidence`; this file knows which parts of a payload take part.
 */
import * as Evidence from "../../evidence/LedgerHash.ts"

/** The part of a payload that is hashed. */
export interface Hashed {
  readonly input: Evidence.JsonObject
  readonly output: Evidence.JsonObject
  /** Absent and empty are different: an empty context has a hash. */
  readonly context?: Evidence.JsonObject | undefined
}

/** The hashes of a record, linked to its predecessor. */
export interface Link extends Evidence.RecordHashParts {
  readonly recordHash: string
}

/** The three hashes of a payload. */
export type PayloadHashes = Omit<Evidence.RecordHashParts, "previousHash">

/** Hashes the parts of a payload. */
export const hashPayload = (payload: Hashed): PayloadHashes => ({
  inputHash: Evidence.hashObject(payload.input),
  outputHash: Evidence.hashObject(payload.output),
  contextHash: payload.context === undefined ? null : Evidence.hashObject(payload.context)
})

/** Links a payload to the record before it; `null` begins a chain. */
export const link = (previousHash: string | null, hashes: PayloadHashes): Link => {
  const parts = { previousHash, ...hashes }
  return { ...parts, recordHash: Evidence.recordHash(parts) }
}

/** Whether the stored hash of a record is the hash of its stored parts. */
export const isIntact = (stored: Link): boolean => Evidence.recordHash(stored) === stored.recordHash
