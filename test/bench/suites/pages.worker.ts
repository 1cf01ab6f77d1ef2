/**
 * An embedded ledger with many records, for the suite `pages`.
 */

import { XaseClient } from "xase-sdk/promise"
import { startLedger } from "../../../src/ledger-server/index.ts"
import { decision } from "../decision.ts"
import type { Round } from "../harness/Samples.ts"

let ledger: Awaited<ReturnType<typeof startLedger>>

/** Starts the ledger, records so many decisions under 20 policies and answers the id of one more. */
export const fill = async (count: number): Promise<string> => {
  ledger = await startLedger({ rateLimit: "unlimited" })
  const { apiKey, baseUrl } = ledger
  const client = new XaseClient({
    apiKey,
    baseUrl,
    concurrency: 16,
    queuePolicy: "backpressure",
    exitHandlers: false,
    timeout: 30_000
  })
  for (let n = 0; n < count; n++) {
    await client.record({ ...decision(n), policy: `policy_${n % 20}`, storePayload: true })
  }
  await client.flush(600_000)
  const { transaction_id } = await client.record(decision(count), { skipQueue: true })
  await client.close()
  return transaction_id
}

/** Asks for a page and reads all of it. */
export const visit = async (path: string): Promise<Round> => {
  const started = performance.now()
  const response = await fetch(`${ledger.origin}${path}`, { headers: { "x-api-key": ledger.apiKey } })
  await response.text()
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  return { ms: performance.now() - started }
}
