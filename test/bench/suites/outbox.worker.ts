/**
 * What a client does in the suite `outbox`.
 */
import { DatabaseSync } from "node:sqlite"
import { setTimeout as sleep } from "node:timers/promises"
import { type OutboxOptions, XaseClient } from "xase-sdk/promise"
import { decision } from "../decision.ts"
import type { Round } from "../harness/Samples.ts"
import { patience, settings } from "../subjects/settings.ts"

let client: XaseClient | undefined

const opened = (): XaseClient => {
  if (client === undefined) throw new Error("nothing is open")
  return client
}

/** Opens a client with this outbox. */
export const open = (outbox: OutboxOptions<number, string>, url: string, concurrency: number): void => {
  client = new XaseClient({
    ...settings({ url, concurrency }),
    // A held request must not look like a ledger that is down.
    maxRetries: 0,
    exitHandlers: false,
    outbox
  })
}

/** Records a burst and answers how many were accepted a second. */
export const accept = async (count: number): Promise<number> => {
  const started = performance.now()
  await Promise.all(Array.from({ length: count }, (_, n) => opened().record(decision(n))))
  return count / ((performance.now() - started) / 1_000)
}

/** Waits until all is delivered and answers how many were delivered a second. */
export const drain = async (): Promise<number> => {
  const before = opened().getStats().delivered
  const started = performance.now()
  await opened().flush(patience)
  return (opened().getStats().delivered - before) / ((performance.now() - started) / 1_000)
}

/** Fills a file with copies of one record that nobody has delivered. */
export const fill = async (url: string, count: number): Promise<void> => {
  open({ url, deliver: false }, "http://127.0.0.1:9", 1)
  await opened().record(decision(1))
  await opened().close()
  const database = new DatabaseSync(url.slice("sqlite:".length))
  database.exec(`
    WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
    INSERT INTO xase_outbox (id, queue_name, element, state, attempts, visible_at, created_at, updated_at)
    SELECT 'copy-' || n, queue_name, element, state, 0, visible_at, created_at, updated_at
    FROM xase_outbox, numbers WHERE sequence = 1`)
  database.close()
}

const megabytes = (): number => process.memoryUsage().rss / 1e6

/** Opens a file that has many records and delivers some of them. */
export const backlog = async (outbox: string, url: string, count: number): Promise<Round> => {
  const started = performance.now()
  open({ url: outbox }, url, 16)
  while (opened().getStats().delivered === 0) await sleep(1)
  const found = { opened: performance.now() - started, early: 0, most: 0 }
  while (opened().getStats().delivered < count) {
    await sleep(20)
    found.most = Math.max(found.most, megabytes())
    if (found.early === 0 && opened().getStats().delivered >= 1_000) found.early = megabytes()
  }
  return found
}
