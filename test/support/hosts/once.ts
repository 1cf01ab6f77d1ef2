/**
 * Records one decision and comes to its natural end.
 */
import { XaseClient } from "../../../src/promise.ts"

const [outbox = "", baseUrl = "", apiKey = ""] = process.argv.slice(2)
const client = new XaseClient({ outbox, baseUrl, apiKey })
await client.record({ policy: "once", input: {}, output: {} })
process.on("exit", () => process.stdout.write(JSON.stringify(client.getStats())))
