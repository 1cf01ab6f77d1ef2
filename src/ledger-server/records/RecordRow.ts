/**
 * A record as the ledger keeps it.
 */
import * as Schema from "effect/Schema"

const nullableText = Schema.NullOr(Schema.String)

/** A record as the ledger keeps it; decoded from a row of the `records` table. */
export const StoredRecord = Schema.Struct({
  sequence: Schema.Int,
  tenantId: Schema.String,
  position: Schema.Int,
  transactionId: Schema.String,
  timestamp: Schema.Int,
  policyId: nullableText,
  policyVersion: nullableText,
  decisionType: nullableText,
  confidence: Schema.NullOr(Schema.Number),
  processingTime: Schema.NullOr(Schema.Int),
  inputHash: Schema.String,
  outputHash: Schema.String,
  contextHash: nullableText,
  previousHash: nullableText,
  recordHash: Schema.String,
  inputPayload: nullableText,
  outputPayload: nullableText,
  contextPayload: nullableText,
  seal: Schema.Uint8Array
}).pipe(
  Schema.encodeKeys({
    tenantId: "tenant_id",
    transactionId: "transaction_id",
    policyId: "policy_id",
    policyVersion: "policy_version",
    decisionType: "decision_type",
    processingTime: "processing_time",
    inputHash: "input_hash",
    outputHash: "output_hash",
    contextHash: "context_hash",
    previousHash: "previous_hash",
    recordHash: "record_hash",
    inputPayload: "input_payload",
    outputPayload: "output_payload",
    contextPayload: "context_payload"
  })
)

/** A record as the ledger keeps it. */
export type StoredRecord = typeof StoredRecord.Type

let lastMillis = Number.NaN
let lastTime = ""

/** ISO 8601 in UTC with milliseconds: how every time leaves the ledger. Requests of one millisecond share the text. */
export const isoTime = (epochMillis: number): string => {
  if (epochMillis !== lastMillis) {
    lastTime = new Date(epochMillis).toISOString()
    lastMillis = epochMillis
  }
  return lastTime
}
