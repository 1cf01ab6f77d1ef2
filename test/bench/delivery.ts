/**
 * `npm run bench:delivery`: records delivered per second and the client's CPU for them, against undici by hand and fetch in
 * a loop. The server has a process of its own; rounds are interleaved.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { cpus } from "node:os"
import { fileURLToPath } from "node:url"
import { Agent } from "undici"
import { XaseClient } from "../../src/promise.ts"
import { decision } from "./decision.ts"

const records = Number(process.env.RECORDS ?? 4_000)
const rounds = Number(process.env.ROUNDS ?? 7)
const apiKey = `xase_pk_${"b".repeat(32)}`

const server = fork(fileURLToPath(new URL("receipt-server.ts", import.meta.url)), {
  stdio: ["ignore", "pipe", "inherit", "ipc"]
})
const [port] = await once(server.stdout?.setEncoding("utf8") ?? server, "data")
const origin = `http://127.0.0.1:${String(port).trim()}`
const body = JSON.stringify(decision(1))
const headers = { "x-api-key": apiKey, "content-type": "application/json" }

type Subject = (concurrency: number) => Promise<void>

const inParallel = async (concurrency: number, send: () => Promise<void>): Promise<void> => {
  let left = records
  const worker = async (): Promise<void> => {
    while (left-- > 0) await send()
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
}

const agent = new Agent()

const subjects: Readonly<Record<string, Subject>> = {
  "undici request, by hand": (concurrency) =>
    inParallel(concurrency, async () => {
      const key = crypto.randomUUID()
      const answer = await agent.request({
        origin,
        path: "/api/xase/v1/records",
        method: "POST",
        headers: { ...headers, "idempotency-key": key },
        body
      })
      await answer.body.json()
    }),
  "fetch in a loop": (concurrency) =>
    inParallel(concurrency, async () => {
      const answer = await fetch(`${origin}/api/xase/v1/records`, { method: "POST", headers, body })
      await answer.json()
    }),
  "XaseClient, fire and forget": async (concurrency) => {
    const client = new XaseClient({ apiKey, baseUrl: `${origin}/api/xase/v1`, concurrency, exitHandlers: false })
    for (let n = 0; n < records; n++) void client.record(decision(n))
    await client.flush(120_000)
    if (client.getStats().delivered !== records) throw new Error("a record was lost")
    await client.close()
  }
}

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

console.log(
  `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}; ${records} records of about 1 KB a round, ${rounds} rounds\n`
)
console.log("| | concurrency | records/s (median) | slowest to fastest round | ratio | CPU s per 1,000 |")
console.log("| --- | ---: | ---: | ---: | ---: | ---: |")
for (const concurrency of [1, 4, 16]) {
  const rates = new Map<string, Array<number>>()
  const costs = new Map<string, Array<number>>()
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of Object.entries(subjects)) {
      const cpu = process.cpuUsage()
      const started = performance.now()
      await run(concurrency)
      const seconds = (performance.now() - started) / 1_000
      const { system, user } = process.cpuUsage(cpu)
      if (round < 0) continue
      rates.set(name, [...(rates.get(name) ?? []), records / seconds])
      costs.set(name, [...(costs.get(name) ?? []), (user + system) / 1e6 / (records / 1_000)])
    }
  }
  const base = median(rates.get("undici request, by hand") ?? [])
  for (const [name, all] of rates) {
    console.log(
      `| ${name} | ${concurrency} | ${Math.round(median(all))} | ${Math.round(Math.min(...all))} to ${Math.round(Math.max(...all))} | ${(median(all) / base).toFixed(2)} | ${median(costs.get(name) ?? []).toFixed(3)} |`
    )
  }
}
await agent.close()
server.disconnect()
