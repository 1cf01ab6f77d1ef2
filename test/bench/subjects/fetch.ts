import { type Open, repeatInParallel } from "./Subject.ts"
import { apiKey } from "./settings.ts"

/** What one writes first: `fetch` in a loop. */
export const open: Open = ({ concurrency, url }) => {
  const post = async (decision: object) => {
    const answer = await fetch(`${url}/api/xase/v1/records`, {
      method: "POST",
      headers: { "x-api-key": apiKey, "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
      body: JSON.stringify(decision)
    })
    await answer.json()
  }
  return { repeat: repeatInParallel(concurrency, post), flush: async () => {} }
}
