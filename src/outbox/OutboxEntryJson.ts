/**
 * A record as a durable outbox keeps it: sealed, with a hash over all that is stored, so that what a failing disk or another
 * hand changed is noticed before it is sent. Entries of version 1, which have a hash of their body only, are still read.
 */
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { problemOf } from "../decision/IdempotencyKey.ts"
import { evidenceKey } from "../evidence/Commitment.ts"
import { sha256Hex } from "../evidence/Sha256.ts"
import { byteLength } from "../evidence/Utf8.ts"
import type { Stored } from "./RecordStore.ts"

const fields = {
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
  body: Schema.String
}

/** What is stored, as JSON. */
export const StoredRecord = Schema.Struct({
  version: Schema.Literal(2),
  ...fields,
  /** The SHA-256 of all other members in hex. */
  entryHash: Schema.String
})
export type StoredRecord = typeof StoredRecord.Type

/** What was stored before entries had a hash of their own. */
const FirstVersion = Schema.Struct({
  version: Schema.Literal(1),
  ...fields,
  /** The SHA-256 of the body in hex. */
  bodyHash: Schema.String
})

/** The hash of an entry, over every member that is stored, also over those that nobody reads. */
const entryHashOf = (entry: object): string =>
  sha256Hex(
    JSON.stringify(
      Object.entries(entry)
        .filter(([name, value]) => name !== "entryHash" && value !== undefined)
        .sort(([one], [other]) => (one < other ? -1 : 1))
    )
  )

/** An entry with the hash that belongs to it. */
const hashed = <Entry extends object>(entry: Entry): Entry & { readonly entryHash: string } => ({
  ...entry,
  entryHash: entryHashOf(entry)
})

/** The stored form of a sealed record. */
export const toStored = ({ acceptedAt, owner, record }: Stored): StoredRecord =>
  hashed({
    version: 2,
    idempotencyKey: record.idempotencyKey,
    policy: record.policy,
    ...(record.transactionId === undefined ? {} : { transactionId: record.transactionId }),
    ...(record.fingerprint === undefined ? {} : { fingerprint: record.fingerprint }),
    ...(record.timeout === undefined ? {} : { timeout: Duration.toMillis(record.timeout) }),
    acceptedAt,
    owner,
    sequence: record.sequence,
    body: record.body
  })

const decode = Schema.decodeUnknownResult(Schema.Union([StoredRecord, FirstVersion]))

/** Whether an intact entry is stored. */
const isIntact = (stored: unknown, entry: StoredRecord | typeof FirstVersion.Type): boolean =>
  entry.version === 2
    ? Predicate.isObject(stored) && entryHashOf(stored) === entry.entryHash
    : sha256Hex(entry.body) === entry.bodyHash

/** The key that the commitment in a body names; `undefined` when there is no commitment. */
const committedKeyOf = (body: string): unknown => {
  try {
    const context = at(JSON.parse(body), "context")
    return at(at(at(at(context, evidenceKey), "commitment"), "decision"), "idempotencyKey")
  } catch {
    return undefined
  }
}

const at = (value: unknown, name: string): unknown => (Predicate.isObject(value) ? value[name] : undefined)

/**
 * An intact entry with another time of acceptance, so that it counts as new; anything else as it is.
 */
export const acceptedAgain = (stored: unknown, acceptedAt: number): unknown =>
  Predicate.isObject(stored) && Result.isSuccess(fromStored(stored))
    ? stored.version === 2
      ? hashed({ ...stored, acceptedAt })
      : { ...stored, acceptedAt }
    : stored

/** The record of its stored form, or what is wrong with that. */
export const fromStored = (stored: unknown): Result.Result<Stored, string> => {
  const decoded = decode(stored)
  if (Result.isFailure(decoded)) return Result.fail("it is damaged: what is stored is no record")
  const { acceptedAt, body, fingerprint, idempotencyKey, owner, policy, sequence, timeout, transactionId } =
    decoded.success
  if (!isIntact(stored, decoded.success))
    return Result.fail("it is damaged: what is stored has another hash than when it was stored")
  if (problemOf(idempotencyKey) !== undefined)
    return Result.fail("it is damaged: its idempotency key is not one that can be sent")
  const committed = committedKeyOf(body)
  if (committed !== undefined && committed !== idempotencyKey)
    return Result.fail("it is damaged: its idempotency key is not the one that its commitment names")
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
