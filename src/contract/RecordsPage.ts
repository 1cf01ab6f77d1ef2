/**
 * A page of the ledger's list of records: what it keeps of each beside the hashes, newest first.
 */
import * as Schema from "effect/Schema"

const NullOrString = Schema.NullOr(Schema.String)
const NullOrNumber = Schema.NullOr(Schema.Finite)

/** One record in the list. The list has no payloads and no other hashes; `Verification` has its place in the chain. */
export const ListedRecord = Schema.Struct({
  transactionId: Schema.String,
  policy: NullOrString,
  policyVersion: NullOrString,
  decisionType: NullOrString,
  confidence: NullOrNumber,
  /** Milliseconds. */
  processingTime: NullOrNumber,
  /** ISO 8601, UTC. */
  timestamp: Schema.String,
  recordHash: Schema.String
}).pipe(Schema.encodeKeys({ policy: "policyId" }))
export type ListedRecord = typeof ListedRecord.Type

/** A page; `pages` of them hold `total` records, up to `limit` each, counted from 1. */
export const RecordsPage = Schema.Struct({
  records: Schema.Array(ListedRecord),
  pagination: Schema.Struct({ page: Schema.Int, limit: Schema.Int, total: Schema.Int, pages: Schema.Int })
})
export type RecordsPage = typeof RecordsPage.Type

/** Which page of which records. */
export interface RecordsQuery {
  /** From 1. */
  readonly page?: number | undefined
  /** At most 100. */
  readonly limit?: number | undefined
  /** Part of a transaction id or policy. */
  readonly search?: string | undefined
  readonly policy?: string | undefined
}
