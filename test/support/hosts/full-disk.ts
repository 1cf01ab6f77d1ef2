/**
 * Records until its outbox cannot grow any more, and tells how many were accepted and how many refused.
 */
import { XaseClient } from "../../../src/promise.ts"

const [url = "", onUnavailable = "fail", baseUrl = "", apiKey = ""] = process.argv.slice(2)

const outbox = {
  url,
  onUnavailable: onUnavailable === "memory" ? "memory" : "fail",
  deliver: onUnavailable === "memory"
} as const
const client = new XaseClient({ outbox, baseUrl, apiKey, concurrency: 8, shutdownTimeout: 10_000 })

let accepted = 0
let refused = 0
const codes = new Set<string>()
for (let n = 0; n < 1_500; n++) {
  try {
    await client.record({ policy: "full", input: { n, text: "x".repeat(2_000) }, output: { ok: true } })
    accepted++
  } catch (error) {
    refused++
    codes.add(error instanceof Error && "code" in error ? String(error.code) : String(error))
    if (refused === 5) break
  }
}
await client.close()
console.log(JSON.stringify({ accepted, refused, codes: [...codes] }))
