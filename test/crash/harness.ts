/**
 * Kills recording processes at random moments, while the ledger fails in every way, and counts what became of each decision
 * that was accepted: by the ledger's own list.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { startLedger } from "../../src/ledger-server/index.ts"
import { XaseClient } from "../../src/promise.ts"

const producer = fileURLToPath(new URL("./producer.ts", import.meta.url))

/** What a run of rounds came to. */
export interface CrashResult {
  readonly rounds: number
  /** Decisions whose `record` had resolved. */
  readonly accepted: number
  /** Accepted decisions that the ledger has. */
  readonly delivered: number
  /** Decisions that the ledger has more than once. */
  readonly duplicates: number
  /** Accepted decisions that the ledger does not have. */
  readonly lost: number
}

/** One request in five goes wrong, half of those after the ledger has taken the record. */
const faults = {
  rates: [
    { rate: 0.05, fault: { type: "status", status: 503 } },
    { rate: 0.05, fault: { type: "reset" } },
    { rate: 0.1, fault: { type: "reset", commit: true } }
  ]
} as const

interface Listed {
  readonly policyId: string
}

const countByPolicy = async (baseUrl: string, apiKey: string): Promise<ReadonlyMap<string, number>> => {
  const counts = new Map<string, number>()
  for (let page = 1; ; page++) {
    const response = await fetch(`${baseUrl}/records?limit=100&page=${page}`, { headers: { "x-api-key": apiKey } })
    const { pagination, records }: { pagination: { pages: number }; records: ReadonlyArray<Listed> } =
      await response.json()
    for (const { policyId } of records) counts.set(policyId, (counts.get(policyId) ?? 0) + 1)
    if (page >= pagination.pages) return counts
  }
}

/** One life of a producer: how long it lives after its first accepted decision is up to chance. */
const live = async (args: ReadonlyArray<string>, accepted: Set<string>): Promise<void> => {
  const child = spawn(process.execPath, [...process.execArgv, producer, ...args], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const ended = once(child, "exit")
  let rest = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) accepted.add(line)
  })
  await Promise.race([once(child.stdout, "data"), ended])
  await sleep(Math.random() * 250)
  child.kill("SIGKILL")
  await Promise.all([ended, once(child, "close")])
}

/** Runs so many rounds on an outbox, then lets a client without faults deliver the rest. */
export const crash = async (
  outbox: string,
  rounds: number,
  onRound: (round: number, accepted: number) => void = () => {}
): Promise<CrashResult> => {
  await using ledger = await startLedger({ rateLimit: "unlimited", faults })
  const accepted = new Set<string>()
  for (let round = 0; round < rounds; round++) {
    await live([outbox, ledger.baseUrl, ledger.apiKey, String(round)], accepted)
    onRound(round + 1, accepted.size)
  }
  await ledger.setFaults({})
  const last = new XaseClient({
    outbox: { url: outbox, lease: 3_000 },
    apiKey: ledger.apiKey,
    baseUrl: ledger.baseUrl,
    exitHandlers: false,
    concurrency: 4
  })
  // What is accepted last is delivered after everything that is older or held by the dead.
  await last.record({ policy: "crash-last", input: {}, output: {} })
  await last.flush(120_000)
  const missing = async (): Promise<ReadonlyArray<string>> => {
    const counts = await countByPolicy(ledger.baseUrl, ledger.apiKey)
    return [...accepted].filter((policy) => !counts.has(policy))
  }
  // A lease of the dead lasts three seconds; ten times that is long enough for anything.
  for (let waited = 0; waited < 30 && (await missing()).length > 0; waited++) await sleep(1_000)
  await last.close()
  const counts = await countByPolicy(ledger.baseUrl, ledger.apiKey)
  const lost = (await missing()).length
  return {
    rounds,
    accepted: accepted.size,
    delivered: accepted.size - lost,
    duplicates: [...counts.values()].filter((count) => count > 1).length,
    lost
  }
}
