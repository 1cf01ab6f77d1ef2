/**
 * A server that answers every request with a receipt, as fast as Node can: what is measured against it is the client.
 */
import { createServer } from "node:http"

const receipt = JSON.stringify({
  success: true,
  transaction_id: `txn_${"0".repeat(32)}`,
  receipt_url: "http://127.0.0.1/xase/receipt/txn",
  timestamp: "2026-11-23T09:00:00.000Z",
  record_hash: "ab".repeat(32),
  chain_position: "chained"
})

const server = createServer((request, response) => {
  request.resume().once("end", () => {
    response.writeHead(201, { "content-type": "application/json", "content-length": receipt.length }).end(receipt)
  })
})

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.stdout.write(`${typeof address === "object" ? address?.port : ""}\n`)
})
process.once("disconnect", () => process.exit())
