/**
 * The settings that are the same for both faces of the SDK.
 */
import type { Target } from "./Subject.ts"

/** A key of the right shape. */
export const apiKey = `xase_pk_${"b".repeat(32)}`

/** How many records wait at most, in every subject that can be told: more than any suite queues. */
export const roomy = 2_000_000

/** How long a flush may take, in milliseconds. */
export const patience = 600_000

/** No deadline, since a suite may hold the server's answers; room for every record. */
export const settings = ({ concurrency, url }: Target) => ({
  apiKey,
  baseUrl: `${url}/api/xase/v1`,
  concurrency,
  timeout: patience,
  shutdownTimeout: 1,
  queueMaxSize: roomy,
  queueMaxBytes: 2 ** 40
})
