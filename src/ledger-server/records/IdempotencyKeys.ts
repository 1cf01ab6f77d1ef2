/**
 * Idempotency keys: the same request, sent again, gets the first answer and makes no second record.
 *
 * Remembered for 24 hours, per tenant, in the database and in the transaction of the record itself: a restart forgets
 * nothing, and a record without its key cannot exist.
 */
import { sha256Hex } from "../../evidence/Sha256.ts"
import type { Sqlite } from "../../sql/Sqlite.ts"

/** How long a key is remembered, in milliseconds. */
export const lifetime = 24 * 3_600_000

const format = /^[A-Za-z0-9_-]{16,64}$/

/** Whether a text may be an idempotency key: a UUID, or 16 to 64 letters, digits, `-` and `_`. */
export const isIdempotencyKey = (text: string): boolean => format.test(text)

/** What is known of a key. */
export type Recalled =
  | { readonly _tag: "Unknown" }
  | { readonly _tag: "Same"; readonly answer: string }
  | { readonly _tag: "OtherBody" }

/** What a request says: its body and, where the client sent one, the fingerprint of what the application gave. */
export interface Said {
  readonly body: string
  /**
   * The SHA-256 of the decision as the application gave it, from the header `x-xase-fingerprint`. The body of the same
   * decision differs from call to call, by its time and its commitment; the fingerprint does not.
   */
  readonly fingerprint: string | undefined
}

/** The keys that were used. */
export interface IdempotencyKeys {
  /** What is known of a key, for a request that says this. */
  readonly recall: (tenantId: string, key: string, said: Said, now: number) => Recalled
  /** Remembers the answer to the first request with a key. */
  readonly remember: (tenantId: string, key: string, said: Said, answer: string, now: number) => void
}

/** Both hashes in the one column that there is. */
const hashesOf = ({ body, fingerprint }: Said): string =>
  fingerprint === undefined ? sha256Hex(body) : `${sha256Hex(body)} ${fingerprint}`

const isSame = (stored: string, said: Said): boolean => {
  const [bodyHash, fingerprint] = stored.split(" ")
  return fingerprint !== undefined && said.fingerprint !== undefined
    ? fingerprint === said.fingerprint
    : bodyHash === sha256Hex(said.body)
}

const unknown: Recalled = { _tag: "Unknown" }

const select = "SELECT body_hash, answer FROM idempotency_keys WHERE key = ? AND tenant_id = ? AND created_at > ?"

const replace = `INSERT INTO idempotency_keys (tenant_id, key, body_hash, answer, created_at) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (key, tenant_id) DO UPDATE SET body_hash = excluded.body_hash, answer = excluded.answer, created_at = excluded.created_at`

/** Keys in the database; another body under a used key is told apart. */
export const makeStored = (sqlite: Sqlite): IdempotencyKeys => {
  let purgedAt = Number.NEGATIVE_INFINITY
  const purge = (now: number): void => {
    if (now - purgedAt < lifetime / 24) return
    purgedAt = now
    sqlite.run("DELETE FROM idempotency_keys WHERE created_at <= ?", now - lifetime)
  }
  return {
    recall: (tenantId, key, said, now) => {
      const row = sqlite.get(select, key, tenantId, now - lifetime)
      if (row === undefined) return unknown
      if (!isSame(String(row.body_hash), said)) return { _tag: "OtherBody" }
      return { _tag: "Same", answer: String(row.answer) }
    },
    remember: (tenantId, key, said, answer, now) => {
      purge(now)
      sqlite.run(replace, tenantId, key, hashesOf(said), answer, now)
    }
  }
}

/** Keys in the memory of this process, whatever the body, as the public ledger has them. */
export const makeForgetful = (): IdempotencyKeys => {
  const used = new Map<string, { readonly answer: string; readonly at: number }>()
  return {
    recall: (tenantId, key, _said, now) => {
      const found = used.get(`${tenantId} ${key}`)
      return found === undefined || found.at <= now - lifetime ? unknown : { _tag: "Same", answer: found.answer }
    },
    remember: (tenantId, key, _said, answer, now) => {
      used.set(`${tenantId} ${key}`, { answer, at: now })
    }
  }
}
