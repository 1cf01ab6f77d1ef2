/**
 * The ledger's answer to a recorded decision.
 *
 * The ledger writes `transaction_id`; the application reads `transactionId`. The wire form is what the original Node SDK
 * returned, so the Promise facade hands it out unchanged.
 */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

const transactionIdPattern = /^txn_[0-9a-f]{32}$/
const recordHashPattern = /^[0-9a-f]{64}$/

const Sha256Digest = Schema.String.check(
  Schema.isPattern(recordHashPattern, { message: "must be 64 lowercase hexadecimal digits" })
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
    Schema.isPattern(transactionIdPattern, { message: "must be txn_ and 32 hexadecimal digits" })
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

/**
 * The receipt that an answer is, if it is one: what the codec decodes, in a third of its time. Each record has one, so
 * delivery asks here and leaves it to the codec to say what is wrong.
 */
export const receiptIn = (answer: unknown): Receipt | undefined => {
  if (!Predicate.isObject(answer)) return undefined
  const {
    chain_position: chainPosition,
    receipt_url: receiptUrl,
    record_hash: recordHash,
    timestamp,
    transaction_id: transactionId
  } = answer
  const isReceipt =
    typeof transactionId === "string" &&
    transactionIdPattern.test(transactionId) &&
    typeof recordHash === "string" &&
    recordHashPattern.test(recordHash) &&
    typeof receiptUrl === "string" &&
    typeof timestamp === "string" &&
    (chainPosition === "genesis" || chainPosition === "chained")
  return isReceipt
    ? new Receipt({ transactionId, receiptUrl, timestamp, recordHash, chainPosition }, { disableChecks: true })
    : undefined
}
