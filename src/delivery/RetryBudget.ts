/**
 * Bounds retries across all records of a client, so that in a total outage requests stay near their base rate
 * (requirement R17).
 *
 * A token bucket: a retry takes one token, every delivered record gives back a tenth, and there are never more than
 * `capacity`. An empty bucket means that failures are the rule and not the exception: retrying each record then only adds
 * load.
 */

/** Bounds the retries of a client to a share of its successful requests. */
export interface RetryBudget {
  /** Takes the token of one retry; `false` when there is none. */
  readonly withdraw: () => boolean
  /** Gives back a tenth of a token after a delivered record. */
  readonly deposit: () => void
}

/** How many retries a client may start at once. */
export const capacity = 20

// Counted in tenths, so that ten deposits are exactly one retry.
const costOfRetry = 10

/** A full bucket. */
export const make = (): RetryBudget => {
  let tenths = capacity * costOfRetry
  return {
    withdraw: () => {
      if (tenths < costOfRetry) return false
      tenths -= costOfRetry
      return true
    },
    deposit: () => {
      if (tenths < capacity * costOfRetry) tenths++
    }
  }
}
