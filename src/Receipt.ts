/**
 * The ledger's answer to a recorded decision.
 *
 * The ledger writes `transaction_id`; the application reads `transactionId`. The wire form is what the original Node SDK
 * returned, so the Promise facade hands it out unchanged.
 */
import * as Schema from "effect/Schema"

const Sha256Digest = Schema.String.check(
  Schema.isPattern(/^[0-9a-f]{64}$/, { message: "must be 64 lowercase hexadecimal digits" })
)

/**
 * Proof that the ledger holds a record.
 *
 * - `transactionId`: the ledger's own id of the record, `txn_` and 32 hexadecimal digits.
 * - `receiptUrl`: where anybody can look at the receipt; `undefined` keys never occur.
 * - `timestamp`: when the ledger took the record, ISO 8601 in UTC with milliseconds.
 * - `recordHash`: the record's hash in the chain, see `Evidence.recordHash`.
 * - `chainPosition`: `genesis` for the first record of a chain, else `chained`.
 */
export class Receipt extends Schema.Class<Receipt>("xase-sdk/Receipt")({
  transactionId: Schema.String.check(
    Schema.isPattern(/^txn_[0-9a-f]{32}$/, { message: "must be txn_ and 32 hexadecimal digits" })
  ),
  receiptUrl: Schema.String,
  timestamp: Schema.String,
  recordHash: Sha256Digest,
  chainPosition: Schema.Literals(["genesis", "chained"])
}) {}

/** The codec between a {@link Receipt} and the ledger's answer. Fields that it does not know are ignored. */
export const ReceiptFromLedger = Receipt.pipe(
  Schema.encodeKeys({
    transactionId: "transaction_id",
    receiptUrl: "receipt_url",
    recordHash: "record_hash",
    chainPosition: "chain_position"
  })
)

/** A {@link Receipt} as the ledger writes it. */
export type ReceiptJson = typeof ReceiptFromLedger.Encoded
