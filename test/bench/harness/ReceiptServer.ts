/**
 * A process of its own that answers every POST with a receipt, as fast as Node can or `argv[2]` milliseconds later: what is
 * measured against it is the client.
 *
 * While it is told to hold, it answers nothing. `GET /count` says how many records came by other paths than the ledger's,
 * since the last count, so that a peer that loses records is found out.
 */
import { createServer, type ServerResponse } from "node:http"
import { gunzipSync } from "node:zlib"
import { marker } from "../decision.ts"

const latency = Number(process.argv[2] ?? 0)

const receipt = JSON.stringify({
  success: true,
  transaction_id: `txn_${"0".repeat(32)}`,
  receipt_url: "http://127.0.0.1/xase/receipt/txn",
  timestamp: "2026-11-23T09:00:00.000Z",
  record_hash: "ab".repeat(32),
  chain_position: "chained"
})

let isHolding = false
let held: Array<ServerResponse> = []
let bodies: Array<Buffer> = []

const answer = (response: ServerResponse, text: string): void => {
  response.writeHead(200, { "content-type": "application/json", "content-length": text.length }).end(text)
}

const count = (): number => {
  const all = bodies
  bodies = []
  return all
    .map((body) => (body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body).toString().split(marker).length - 1)
    .reduce((sum, found) => sum + found, 0)
}

const server = createServer((request, response) => {
  if (request.method === "GET") return answer(response, String(count()))
  if (request.url === "/api/xase/v1/records") {
    request.resume()
  } else {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk)).once("end", () => bodies.push(Buffer.concat(chunks)))
  }
  request.once("end", () => {
    if (isHolding) held.push(response)
    else if (latency === 0) answer(response, receipt)
    else setTimeout(answer, latency, response, receipt)
  })
})

process.on("message", (message) => {
  isHolding = message === "hold"
  if (isHolding) return
  for (const response of held) answer(response, receipt)
  held = []
})

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.send?.(typeof address === "object" ? address?.port : undefined)
})
process.once("disconnect", () => process.exit())
