/**
 * A record as a durable outbox keeps it: sealed, with the hash of its body, so that what a failing disk changed is noticed
 * before it is sent.
 */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { sha256Hex } from "../evidence/Sha256.ts"
import { byteLength } from "../evidence/Utf8.ts"
import type { Stored } from "./RecordStore.ts"

/** What is stored, as JSON. */
export const StoredRecord = Schema.Struct({
  version: Schema.Literal(1),
  idempotencyKey: Schema.String,
  policy: Schema.String,
  transactionId: Schema.optionalKey(Schema.String),
  /** See `LedgerRecord.fingerprint`. */
  fingerprint: Schema.optionalKey(Schema.String),
  /** The deadline of each attempt in milliseconds, where it is not the client's. */
  timeout: Schema.optionalKey(Schema.Finite),
  /** Epoch milliseconds. */
  acceptedAt: Schema.Finite,
  owner: Schema.String,
  /** The place in the order of acceptance of its owner. */
  sequence: Schema.Int,
  /** The request body, canonical JSON text. */
  body: Schema.String,
  /** The SHA-256 of the body in hex. */
  bodyHash: Schema.String
})
export type StoredRecord = typeof StoredRecord.Type

/** The stored form of a sealed record. */
export const toStored = ({ acceptedAt, owner, record }: Stored): StoredRecord => ({
  version: 1,
  idempotencyKey: record.idempotencyKey,
  policy: record.policy,
  ...(record.transactionId === undefined ? {} : { transactionId: record.transactionId }),
  ...(record.fingerprint === undefined ? {} : { fingerprint: record.fingerprint }),
  ...(record.timeout === undefined ? {} : { timeout: Duration.toMillis(record.timeout) }),
  acceptedAt,
  owner,
  sequence: record.sequence,
  body: record.body,
  bodyHash: sha256Hex(record.body)
})

const decode = Schema.decodeUnknownResult(StoredRecord)

/** The record of its stored form, or what is wrong with that. */
export const fromStored = (stored: unknown): Result.Result<Stored, string> => {
  const decoded = decode(stored)
  if (Result.isFailure(decoded)) return Result.fail("it is damaged: what is stored is no record")
  const { acceptedAt, body, bodyHash, fingerprint, idempotencyKey, owner, policy, sequence, timeout, transactionId } =
    decoded.success
  if (sha256Hex(body) !== bodyHash)
    return Result.fail("it is damaged: its body has another hash than when it was stored")
  return Result.succeed({
    acceptedAt,
    owner,
    record: {
      idempotencyKey,
      body,
      draft: undefined,
      byteLength: byteLength(body),
      policy,
      transactionId,
      fingerprint,
      span: undefined,
      timeout: timeout === undefined ? undefined : Duration.millis(timeout),
      sequence
    }
  })
}

/** A record that was set aside: what was stored, as it was, and why. */
export const DeadLetter = Schema.Struct({
  record: Schema.Unknown,
  reason: Schema.String,
  /** Epoch milliseconds. */
  setAsideAt: Schema.Finite
})
export type DeadLetter = typeof DeadLetter.Type
