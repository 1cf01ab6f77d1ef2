/**
 * The Promise facade in a small HTTP server that drains on SIGTERM: requests first, then evidence.
 *
 * `npm run example:plain` runs it against an embedded ledger, asks it three times and stops it with SIGTERM. On your own,
 * set XASE_API_KEY and XASE_BASE_URL, and: curl -d '{"creditScore":720}' localhost:8080
 */
import { createServer } from "node:http"
import { text } from "node:stream/consumers"
import { XaseClient } from "xase-sdk/promise"

const xase = new XaseClient({ onError: (error) => console.error(`evidence: ${error.message}`) })

const server = createServer(async (request, response) => {
  const application = JSON.parse(await text(request))
  const decision = application.creditScore >= 700 ? "APPROVED" : "DECLINED"
  void xase.record({ policy: "credit_policy_v4", input: application, output: { decision } })
  response.setHeader("content-type", "application/json").end(JSON.stringify({ decision }))
})

server.listen(Number(process.env.PORT ?? 8080), () => {
  const address = server.address()
  console.log(`listening on ${typeof address === "object" ? address?.port : address}`)
})

process.once("SIGTERM", () => {
  server.close(async () => {
    await xase.close()
    const { delivered } = xase.getStats()
    console.log(`closed, ${delivered} decisions recorded`)
  })
})
