/**
 * `npm run bench:pages`: how long the list, a search and the dashboard take over 50,000 records.
 */
import { startLedger } from "../../src/ledger-server/index.ts"
import { XaseClient } from "../../src/promise.ts"
import { decision } from "./decision.ts"

const total = 50_000
const rounds = 15

await using ledger = await startLedger({ rateLimit: "unlimited" })
const client = new XaseClient({
  apiKey: ledger.apiKey,
  baseUrl: ledger.baseUrl,
  concurrency: 16,
  queuePolicy: "backpressure",
  exitHandlers: false,
  timeout: 30_000
})
let last = ""
for (let n = 0; n < total; n++) {
  await client.record({ ...decision(n), policy: `policy_${n % 20}`, storePayload: true })
}
await client.flush(600_000)
last = (await client.record(decision(total), { skipQueue: true })).transaction_id
console.log(`Node ${process.version}, ${client.getStats().delivered} records\n`)
await client.close()

const subjects: ReadonlyArray<readonly [name: string, path: string]> = [
  ["list, first page", "/api/xase/v1/records?limit=100"],
  ["list, last page", `/api/xase/v1/records?limit=100&page=${total / 100}`],
  ["list, one policy", "/api/xase/v1/records?limit=100&policyId=policy_7"],
  ["search for an id", `/api/xase/v1/records?search=${last}`],
  ["search without a hit", "/api/xase/v1/records?search=nothing_has_this"],
  ["dashboard", "/xase/records"],
  ["dashboard, one policy", "/xase/records?policy=policy_7"],
  ["dashboard, one outcome", "/xase/records?outcome=APPROVED"],
  ["dashboard, search", `/xase/records?search=${last}`],
  ["a record", `/xase/records/${last}`],
  ["verify", `/api/xase/v1/verify/${last}`]
]

const times = new Map<string, Array<number>>(subjects.map(([name]) => [name, []]))
for (let round = 0; round < rounds; round++) {
  for (const [name, path] of subjects) {
    const started = performance.now()
    const response = await fetch(`${ledger.origin}${path}`, { headers: { "x-api-key": ledger.apiKey } })
    await response.text()
    if (!response.ok) throw new Error(`${name}: ${response.status}`)
    times.get(name)?.push(performance.now() - started)
  }
}

console.log("| | median ms | slowest ms |\n| --- | ---: | ---: |")
for (const [name, all] of times) {
  const sorted = [...all].sort((a, b) => a - b)
  console.log(`| ${name} | ${sorted[sorted.length >> 1]?.toFixed(1)} | ${sorted.at(-1)?.toFixed(1)} |`)
}
