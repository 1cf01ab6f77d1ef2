/**
 * Whose signatures an auditor trusts: a file of public keys that came from somewhere else than the evidence.
 */
import { isObject, member, text } from "./Json.ts"

/** A key of a producer of evidence (Ed25519). */
export interface TrustedKey {
  readonly keyId: string
  /** SubjectPublicKeyInfo in PEM, as `openssl pkey -pubout` writes it. */
  readonly publicKeyPem: string
  /** Epoch milliseconds; the key counts for decisions recorded from then on. */
  readonly validFrom?: number | undefined
  /** Epoch milliseconds; the key counts for decisions recorded before then. */
  readonly validUntil?: number | undefined
}

/** The public keys that an auditor trusts, and whether signatures are required. */
export interface TrustPolicy {
  readonly keys: ReadonlyArray<TrustedKey>
  /** Public keys (RSA, PEM) of ledgers whose proof bundles are believed. */
  readonly ledgerKeys: ReadonlyArray<string>
  /** Whether a commitment without a signature is invalid. */
  readonly requireSignature: boolean
}

/** The policy of a file, or every problem that it has, as `path: problem`. */
export type ParsedTrustPolicy =
  | { readonly policy: TrustPolicy; readonly problems?: undefined }
  | { readonly policy?: undefined; readonly problems: ReadonlyArray<string> }

const version = 1

const isPem = (value: unknown): value is string =>
  typeof value === "string" && /^-----BEGIN PUBLIC KEY-----[\s\S]+-----END PUBLIC KEY-----\s*$/.test(value)

/**
 * Reads a trust policy:
 * `{ "version": 1, "requireSignature"?, "keys": [{ "keyId", "publicKeyPem", "validFrom"?, "validUntil"? }], "ledgerKeys"?: [PEM] }`
 * with times in ISO 8601.
 *
 * @param value the parsed JSON.
 */
export const parseTrustPolicy = (value: unknown): ParsedTrustPolicy => {
  const problems: Array<string> = []
  if (!isObject(value)) return { problems: ["the trust policy must be a JSON object"] }
  if (value.version !== version) problems.push(`version: must be ${version}`)
  const { ledgerKeys = [], requireSignature = false } = value
  if (typeof requireSignature !== "boolean") problems.push("requireSignature: must be true or false")
  const known = ["keys", "ledgerKeys", "requireSignature", "version"]
  for (const name of Object.keys(value)) if (!known.includes(name)) problems.push(`${name}: is not known`)
  const keys = Array.isArray(value.keys) ? value.keys.map((key, index) => keyOf(key, `keys.${index}`, problems)) : []
  if (!Array.isArray(value.keys)) problems.push("keys: must be an array")
  const pems = Array.isArray(ledgerKeys) ? ledgerKeys.filter(isPem) : []
  if (!Array.isArray(ledgerKeys) || pems.length < ledgerKeys.length) {
    problems.push("ledgerKeys: must be an array of public keys in PEM")
  }
  const ids = keys.map(({ keyId }) => keyId)
  if (new Set(ids).size < ids.length) problems.push("keys: two have the same keyId")
  return problems.length > 0
    ? { problems }
    : { policy: { keys, ledgerKeys: pems, requireSignature: requireSignature === true } }
}

/** Date, time and offset: a time without an offset means another moment on each machine. */
const timeForm = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/

const timeOf = (value: unknown, path: string, problems: Array<string>): number | undefined => {
  if (value === undefined) return undefined
  const parts = typeof value === "string" ? timeForm.exec(value) : null
  const time = parts === null ? Number.NaN : Date.parse(parts[0])
  // `Date` takes 30 February for 2 March.
  const days = new Date(Date.UTC(Number(parts?.[1]), Number(parts?.[2]), 0)).getUTCDate()
  if (parts !== null && !Number.isNaN(time) && Number(parts[3]) <= days) return time
  problems.push(`${path}: must be a time in ISO 8601 with its offset, such as 2026-11-25T00:00:00Z`)
  return undefined
}

const keyMembers = ["keyId", "publicKeyPem", "validFrom", "validUntil"]

const keyOf = (value: unknown, path: string, problems: Array<string>): TrustedKey => {
  const keyId = text(value, "keyId") ?? ""
  const publicKeyPem = member(value, "publicKeyPem")
  if (!isObject(value)) problems.push(`${path}: must be an object`)
  for (const name of isObject(value) ? Object.keys(value) : []) {
    if (!keyMembers.includes(name)) problems.push(`${path}.${name}: is not known, use one of ${keyMembers.join(", ")}`)
  }
  if (keyId === "") problems.push(`${path}.keyId: must be text`)
  if (!isPem(publicKeyPem)) problems.push(`${path}.publicKeyPem: must be a public key in PEM`)
  const validFrom = timeOf(member(value, "validFrom"), `${path}.validFrom`, problems)
  const validUntil = timeOf(member(value, "validUntil"), `${path}.validUntil`, problems)
  if (validFrom !== undefined && validUntil !== undefined && validUntil <= validFrom) {
    problems.push(`${path}.validUntil: must be later than validFrom`)
  }
  return { keyId, publicKeyPem: isPem(publicKeyPem) ? publicKeyPem : "", validFrom, validUntil }
}
