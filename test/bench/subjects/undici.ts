import { Pool } from "undici"
import { decision } from "../decision.ts"
import { type Open, repeatInParallel } from "./Subject.ts"
import { apiKey } from "./settings.ts"

/** Bare requests: no queue, no retries, no key derived, one body encoded once and for all. */
export const open: Open = ({ concurrency, url }) => {
  const pool = new Pool(url, { connections: concurrency })
  const body = JSON.stringify(decision(1))
  const request = async () => {
    const answer = await pool.request({
      path: "/api/xase/v1/records",
      method: "POST",
      headers: { "x-api-key": apiKey, "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
      body
    })
    await answer.body.json()
  }
  return { repeat: repeatInParallel(concurrency, request), flush: async () => {} }
}
