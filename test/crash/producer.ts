/**
 * A process that records decisions with known numbers, and says which ones were accepted, until somebody kills it. Also
 * delivers what its predecessors left behind.
 */
import { writeSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { XaseClient } from "../../src/promise.ts"

const [outbox = "", baseUrl = "", apiKey = "", round = ""] = process.argv.slice(2)

// A lease that a killed process held runs out soon, so that the rounds that follow find its records.
const client = new XaseClient({
  outbox: { url: outbox, lease: 3_000 },
  baseUrl,
  apiKey,
  timeout: 1_000,
  concurrency: 4
})

let number = 0

const recordForEver = async (): Promise<void> => {
  while (true) {
    const policy = `crash-${round}-${number++}`
    await client.record({ policy, input: { round, policy }, output: { approved: true }, confidence: 0.5 })
    // At once and whole: what the parent reads was accepted, whatever happens next.
    writeSync(1, `${policy}\n`)
    await sleep(Math.random() * 8)
  }
}

await Promise.all(Array.from({ length: 4 }, recordForEver))
