/**
 * What the ledger answers when it is asked to verify one of its own records.
 *
 * This is the ledger's word about itself. It does not notice an edited confidence, policy, decision type or timestamp
 * (ledger contract), so take it as a first look and not as proof.
 */
import * as Schema from "effect/Schema"

const NullOrString = Schema.NullOr(Schema.String)
const NullOrNumber = Schema.NullOr(Schema.Finite)

/**
 * - `isValid`, `status`: the ledger's verdict.
 * - `checks`: what it looked at; all true by default where it kept no payload (`payloadAvailable` false).
 * - `metadata`: what it stores beside the hashes.
 * - `chain`: `previousHash` is `null` for the first record, else the `recordHash` of the one before.
 */
export class Verification extends Schema.Class<Verification>("xase-sdk/Verification")({
  transactionId: Schema.String,
  isValid: Schema.Boolean,
  status: Schema.Literals(["VERIFIED", "TAMPERED"]),
  checks: Schema.Struct({
    inputHash: Schema.Boolean,
    outputHash: Schema.Boolean,
    contextHash: Schema.Boolean,
    chainIntegrity: Schema.Boolean,
    payloadAvailable: Schema.Boolean
  }).pipe(
    Schema.encodeKeys({
      inputHash: "input_hash",
      outputHash: "output_hash",
      contextHash: "context_hash",
      chainIntegrity: "chain_integrity",
      payloadAvailable: "payload_available"
    })
  ),
  metadata: Schema.Struct({
    timestamp: Schema.String,
    policy: NullOrString,
    policyVersion: NullOrString,
    decisionType: NullOrString,
    confidence: NullOrNumber,
    processingTime: NullOrNumber
  }).pipe(
    Schema.encodeKeys({
      policy: "policy_id",
      policyVersion: "policy_version",
      decisionType: "decision_type",
      processingTime: "processing_time"
    })
  ),
  chain: Schema.Struct({
    previousHash: NullOrString,
    recordHash: Schema.String,
    isGenesis: Schema.Boolean,
    hasNext: Schema.Boolean,
    nextTransactionId: Schema.optionalKey(Schema.String)
  }).pipe(
    Schema.encodeKeys({
      previousHash: "previous_hash",
      recordHash: "record_hash",
      isGenesis: "is_genesis",
      hasNext: "has_next",
      nextTransactionId: "next_transaction_id"
    })
  ),
  verifiedAt: Schema.String
}) {}

/** The codec between a {@link Verification} and the ledger's answer. */
export const VerificationFromLedger = Verification.pipe(
  Schema.encodeKeys({
    transactionId: "transaction_id",
    isValid: "is_valid",
    checks: "verification",
    verifiedAt: "verified_at"
  })
)

/** A {@link Verification} as the ledger writes it. */
export type VerificationJson = typeof VerificationFromLedger.Encoded
