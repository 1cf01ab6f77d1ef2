/**
 * Readers for untrusted JSON: the value, or `undefined`.
 */
import { write } from "./CanonicalJson.ts"
import type { JsonObject } from "./LedgerHash.ts"
import { parseStrict } from "./StrictJson.ts"

/** Whether a value is an object with members, and no array. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The own member of an object; `undefined` where there is no such thing. */
export const member = (value: unknown, name: string): unknown =>
  isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined

/** The member if it is text. */
export const text = (value: unknown, name: string): string | undefined => {
  const found = member(value, name)
  return typeof found === "string" ? found : undefined
}

/** The value of a JSON text, `undefined` where it is none that every reader understands alike. */
export const parse = (source: string): unknown => {
  const read = parseStrict(source)
  return read._tag === "Value" ? read.value : undefined
}

/** RFC 8785; `undefined` for what has no such form (a lone surrogate, a depth beyond the limit). */
export const canonical = (value: JsonObject): string | undefined => {
  const written = write(value, "")
  return written._tag === "Text" ? written.text : undefined
}

const digits = /^[0-9a-f]{64}$/

/** Whether a value is a SHA-256 in 64 lowercase hexadecimal digits. */
export const isHash = (value: unknown): value is string => typeof value === "string" && digits.test(value)

/** Whether a value is a hash with the ledger's prefix. */
export const isPrefixedHash = (value: unknown): value is string =>
  typeof value === "string" && value.startsWith("sha256:") && digits.test(value.slice(7))
