/**
 * The seal of a record: what the chain of hashes does not cover.
 *
 * `record_hash` binds input, output, context and the predecessor, as the contract wants it. It does not bind the policy,
 * the confidence, the time or whether a payload was kept. The seal is a keyed hash over all of that together with the
 * hashes. Its key lies beside the database, not in it: whoever edits the file behind the ledger's back cannot renew it.
 */
import { hash, timingSafeEqual } from "node:crypto"

/** What is sealed. */
export interface Sealed {
  readonly tenantId: string
  readonly position: number
  readonly transactionId: string
  readonly timestamp: number
  readonly policyId: string | null
  readonly policyVersion: string | null
  readonly decisionType: string | null
  readonly confidence: number | null
  readonly processingTime: number | null
  readonly inputHash: string
  readonly outputHash: string
  readonly contextHash: string | null
  readonly previousHash: string | null
  readonly recordHash: string
  readonly inputPayload: string | null
  readonly outputPayload: string | null
  readonly contextPayload: string | null
}

/** Makes and checks seals with one key. */
export interface Seals {
  readonly seal: (record: Sealed) => Uint8Array
  readonly holds: (record: Sealed & { readonly seal: Uint8Array }) => boolean
}

/** The payloads themselves are bound by their hashes: the seal only says which of them were kept. */
const text = (record: Sealed): string =>
  JSON.stringify([
    record.tenantId,
    record.position,
    record.transactionId,
    record.timestamp,
    record.policyId,
    record.policyVersion,
    record.decisionType,
    record.confidence,
    record.processingTime,
    record.inputHash,
    record.outputHash,
    record.contextHash,
    record.previousHash,
    record.recordHash,
    record.inputPayload !== null,
    record.outputPayload !== null,
    record.contextPayload !== null
  ])

const blockBytes = 64

const pad = (key: Uint8Array, byte: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: blockBytes }, (_, index) => (key[index] ?? 0) ^ byte))

/**
 * HMAC-SHA-256 (RFC 2104) over Node's one-shot hash: `createHmac` looks its algorithm up anew for every call, which made
 * the seal the most expensive part of an append.
 */
const hmac = (key: Uint8Array): ((message: string) => Buffer) => {
  const inner = pad(key, 0x36)
  const outer = pad(key, 0x5c)
  const digest = (start: Buffer, rest: Buffer) => hash("sha256", Buffer.concat([start, rest]), "buffer")
  return (message) => digest(outer, digest(inner, Buffer.from(message)))
}

/** Seals with a key of 32 random bytes. */
export const make = (key: Uint8Array): Seals => {
  const sign = hmac(key)
  const seal = (record: Sealed): Uint8Array => sign(text(record))
  return {
    seal,
    holds: (record) => {
      const expected = seal(record)
      return record.seal.length === expected.length && timingSafeEqual(record.seal, expected)
    }
  }
}
