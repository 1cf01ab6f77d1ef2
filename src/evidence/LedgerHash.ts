/**
 * The mathematics of the ledger: canonical form, hashes and the chain of records.
 *
 * Pure functions, no Effect, no I/O: they run wherever JavaScript runs. The algorithms are the ledger's own, as observed
 * on the running service and pinned by its golden vectors (`test/vectors/hash-vectors.json`).
 */
import { sha256Hex } from "./Sha256.ts"

/** A JSON object as `JSON.parse` returns it. */
export interface JsonObject {
  readonly [key: string]: unknown
}

/**
 * The text that the ledger hashes for an object: its top-level keys sorted by UTF-16 code units, everything below in the
 * order of the received text.
 *
 * **Gotchas**
 *
 * This is not RFC 8785: nested keys keep their order, integer-like keys come first and ascending at every depth (as in
 * every JavaScript object), and a top-level `__proto__` is lost. For text whose keys are sorted at every depth and which
 * has no integer-like keys, which is what this SDK sends, both forms are the same.
 */
export const canonicalForm = (object: JsonObject): string => {
  const sorted: Record<string, unknown> = {}
  for (const key of Object.keys(object).sort()) {
    if (key !== "__proto__") sorted[key] = object[key]
  }
  return JSON.stringify(sorted)
}

/**
 * The ledger's hash of an object: `sha256:` and the 64 hexadecimal digits of the SHA-256 of its {@link canonicalForm}.
 *
 * **Example**
 *
 * ```ts
 * hashObject({}) // => "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
 * ```
 */
export const hashObject = (object: JsonObject): string => `sha256:${sha256Hex(canonicalForm(object))}`

/** What a record's hash is made of. The three inner hashes carry their `sha256:` prefix, `previousHash` has none. */
export interface RecordHashParts {
  /** The hash of the record before this one in the chain; `null` for the first. */
  readonly previousHash: string | null
  readonly inputHash: string
  readonly outputHash: string
  /** `null` when the record has no context. An empty context does have a hash. */
  readonly contextHash: string | null
}

/**
 * The hash that links a record to its predecessor: the SHA-256 of the four parts written one after the other, absent
 * parts empty, as 64 hexadecimal digits.
 */
export const recordHash = (parts: RecordHashParts): string =>
  sha256Hex(`${parts.previousHash ?? ""}${parts.inputHash}${parts.outputHash}${parts.contextHash ?? ""}`)
