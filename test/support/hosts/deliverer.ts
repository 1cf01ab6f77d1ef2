/**
 * Delivers what is in an outbox until it is told to end, with a lease that can be waited out in a test.
 */
import { XaseClient } from "../../../src/promise.ts"

const [url = "", baseUrl = "", apiKey = ""] = process.argv.slice(2)
const client = new XaseClient({ outbox: { url, lease: 3_000 }, baseUrl, apiKey, timeout: 10_000, exitHandlers: false })

const report = setInterval(() => process.stdout.write(`${JSON.stringify(client.getStats())}\n`), 50)
process.once("SIGTERM", async () => {
  clearInterval(report)
  await client.close()
  process.exit(0)
})
