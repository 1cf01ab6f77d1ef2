/**
 * The key under which the ledger takes a record once, however often it is sent.
 *
 * It is fixed when the decision is accepted and stays the same over retries, restarts and processes:
 * the caller's own key, else one derived from `transactionId`, else a fresh UUID v4.
 */
import { sha256Hex } from "../evidence/Sha256.ts"
import { byteLength } from "../evidence/Utf8.ts"

const form = /^[A-Za-z0-9_-]{16,64}$/

/**
 * What keeps `key` from being an idempotency key, `undefined` when it is one: 16 to 64 characters of `A-Z a-z 0-9 _ -`,
 * which every UUID is.
 */
export const problemOf = (key: unknown): string | undefined => {
  if (typeof key !== "string") return "must be text"
  if (form.test(key)) return undefined
  if (key.length < 16 || key.length > 64) return `has ${key.length} characters`
  return "has characters that are not allowed"
}

/**
 * The key that stands for a `transactionId`: the first 32 hexadecimal digits of its SHA-256, as in the original Node SDK,
 * so that both give one decision one key.
 */
export const fromTransactionId = (transactionId: string): string => sha256Hex(transactionId).slice(0, 32)

/** A fresh random key (UUID v4). */
export const fresh = (): string => {
  const key = globalThis.crypto.randomUUID()
  // V8 has it in twenty pieces until somebody reads it as a whole, ten times the memory of the text itself.
  byteLength(key)
  return key
}
