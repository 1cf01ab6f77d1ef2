/**
 * The rate limit: so many `POST /records` per API key and UTC clock hour.
 *
 * Counted in the memory of one ledger: a restart begins anew. Replays of an idempotency key are free, refused bodies are
 * not.
 */

const hour = 3_600_000

/** What a key may still do in this hour. */
export interface Allowance {
  readonly allowed: boolean
  /** How many requests are left after this one. */
  readonly remaining: number
  /** When the next hour begins, epoch milliseconds. */
  readonly resetAt: number
}

/** Counts requests per key and hour. */
export interface RateLimits {
  /** Counts one request of a key at a time (epoch milliseconds). Refused requests are not counted. */
  readonly take: (keyId: string, limit: number, now: number) => Allowance
}

/** Makes a counter that begins at zero. */
export const make = (): RateLimits => {
  const used = new Map<string, { readonly hour: number; count: number }>()
  return {
    take: (keyId, limit, now) => {
      const current = Math.floor(now / hour)
      const resetAt = (current + 1) * hour
      let window = used.get(keyId)
      if (window?.hour !== current) {
        window = { hour: current, count: 0 }
        used.set(keyId, window)
      }
      if (window.count >= limit) return { allowed: false, remaining: 0, resetAt }
      window.count++
      return { allowed: true, remaining: limit - window.count, resetAt }
    }
  }
}
