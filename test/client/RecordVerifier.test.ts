import { createServer } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { startLedger } from "../../src/ledger-server/index.ts"
import { XaseClient } from "../../src/promise.ts"

/** A ledger behind a proxy that changes its JSON answers. */
const between = async (origin: string, change: (url: string, body: string) => string) => {
  const server = createServer(async (request, response) => {
    const chunks: Array<Buffer> = []
    for await (const chunk of request) chunks.push(chunk)
    const headers = new Headers()
    for (const name of ["x-api-key", "idempotency-key", "content-type"]) {
      const value = request.headers[name]
      if (typeof value === "string") headers.set(name, value)
    }
    const init = { method: request.method ?? "GET", headers }
    const answer = await fetch(
      `${origin}${request.url}`,
      request.method === "POST" ? { ...init, body: Buffer.concat(chunks) } : init
    )
    response.writeHead(answer.status, { "content-type": "application/json" })
    response.end(change(request.url ?? "", await answer.text()))
  }).listen(0, "127.0.0.1")
  await new Promise((resolve) => server.once("listening", resolve))
  const address = server.address()
  const port = address !== null && typeof address === "object" ? address.port : 0
  return {
    baseUrl: `http://127.0.0.1:${port}/api/xase/v1`,
    close: () => {
      server.close()
      server.closeAllConnections()
    }
  }
}

const verdictThrough = async (change: (url: string, body: string) => string) => {
  await using ledger = await startLedger({ rateLimit: "unlimited" })
  const proxy = await between(ledger.origin, change)
  try {
    await using client = new XaseClient({
      apiKey: ledger.apiKey,
      baseUrl: proxy.baseUrl,
      exitHandlers: false,
      journal: ":memory:"
    })
    const { transaction_id } = await client.record({ policy: "p", input: {}, output: {} }, { skipQueue: true })
    return await client.verify(transaction_id)
  } finally {
    proxy.close()
  }
}

describe("a look-up of one record", () => {
  it("ends where the ledger's list repeats one page without an end", async () => {
    let asked = 0
    const { verdict } = await verdictThrough((url, body) => {
      if (!url.includes("/records?")) return body
      asked++
      return body.replace(/"pages":\d+/, '"pages":1000000000')
    })
    assert.isBelow(asked, 200)
    assert.notStrictEqual(verdict, "valid")
  })

  it("names a hash in the list that is not the one of the ledger's own verification", async () => {
    const { problems } = await verdictThrough((url, body) =>
      url.includes("/records?") ? body.replace(/"recordHash":"[0-9a-f]+"/, `"recordHash":"${"0".repeat(64)}"`) : body
    )
    assert.include(
      problems.map(({ path, reason }) => `${reason} ${path}`),
      "differs record_hash"
    )
  })
})
