/**
 * A ledger on a real socket that answers as the test says: right, wrong, late, torn or not at all.
 *
 * It sits below HTTP where it has to (resets, stalls, torn bodies), so what it does to a client is what a network does.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"
import { Effect, type Scope } from "effect"

export interface SeenRequest {
  readonly index: number
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** The `input` of the decision, for tests that number their decisions. */
  readonly input: { readonly [key: string]: unknown }
  readonly key: string
}

/** Answers one request. */
export type Reply = (request: SeenRequest, response: ServerResponse) => void | Promise<void>

export interface ScriptedLedger {
  readonly baseUrl: string
  readonly requests: ReadonlyArray<SeenRequest>
  /** Requests that have no answer yet, and the most there ever were. */
  readonly inFlight: () => number
  readonly maxInFlight: () => number
  /** How often each key was committed, that is: answered with a receipt or dropped after it was stored. */
  readonly committed: ReadonlyMap<string, number>
  readonly reply: (reply: Reply) => void
  readonly close: () => Promise<void>
}

let minted = 0

export const receiptBody = (): string =>
  JSON.stringify({
    success: true,
    transaction_id: `txn_${(++minted).toString(16).padStart(32, "0")}`,
    receipt_url: "http://127.0.0.1/xase/receipt",
    timestamp: "2026-11-23T09:00:00.000Z",
    record_hash: "ab".repeat(32),
    chain_position: "chained"
  })

export const answer =
  (status: number, body: string | object = "", headers: { readonly [name: string]: string } = {}): Reply =>
  (_, response) => {
    const text = typeof body === "string" ? body : JSON.stringify(body)
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(text)
  }

export const receipt: Reply = (_, response) =>
  void response.writeHead(201, { "content-type": "application/json" }).end(receiptBody())

/** RST before any byte of an answer. */
export const reset: Reply = (_, response) => void response.socket?.resetAndDestroy()

/** RST in the middle of the body. */
export const resetInBody: Reply = (_, response) => {
  response.writeHead(201, { "content-type": "application/json", "content-length": "400" })
  response.write('{"success":true,"transac', () => response.socket?.resetAndDestroy())
}

/** A body that ends early, its connection closed in order. */
export const truncated: Reply = (_, response) => {
  response.writeHead(201, { "content-type": "application/json", connection: "close" }).end('{"success":true,"transac')
}

/** Never a byte. */
export const stall: Reply = () => {}

/** Headers, half a body, and then nothing. */
export const stallInBody: Reply = (_, response) => {
  response.writeHead(201, { "content-type": "application/json", "content-length": "400" })
  response.write('{"success":true,')
}

/** An endless body, as fast as it is read. */
export const endless: Reply = (_, response) => {
  response.writeHead(201, { "content-type": "application/json" })
  const chunk = Buffer.alloc(64 * 1024, " ")
  const more = (): void => {
    while (!response.destroyed && response.write(chunk)) {}
    if (!response.destroyed) response.once("drain", more)
  }
  more()
}

/** 64 MiB of spaces in a few bytes, though nobody asked for compression. */
export const gzipBomb: Reply = (_, response) => {
  response
    .writeHead(201, { "content-type": "application/json", "content-encoding": "gzip" })
    .end(gzipSync(Buffer.alloc(64 * 1024 * 1024, " ")))
}

/** Answers the first requests by `replies`, the rest by `rest`. */
export const sequence = (replies: ReadonlyArray<Reply>, rest: Reply = receipt): Reply => {
  let next = 0
  return (request, response) => (replies[next++] ?? rest)(request, response)
}

const readBody = async (request: IncomingMessage): Promise<string> => {
  let body = ""
  request.setEncoding("utf8")
  for await (const chunk of request) body += chunk
  return body
}

const inputOf = (body: string): SeenRequest["input"] => {
  try {
    return JSON.parse(body).input ?? {}
  } catch {
    return {}
  }
}

export const start = async (firstReply: Reply = receipt): Promise<ScriptedLedger> => {
  let reply = firstReply
  let inFlight = 0
  let maxInFlight = 0
  const requests: Array<SeenRequest> = []
  const committed = new Map<string, number>()
  const server = createServer((request, response) => {
    inFlight++
    maxInFlight = Math.max(maxInFlight, inFlight)
    response.once("close", () => inFlight--)
    readBody(request).then(
      async (body) => {
        const seen: SeenRequest = {
          index: requests.length,
          method: request.method ?? "",
          url: request.url ?? "",
          headers: request.headers,
          body,
          input: inputOf(body),
          key: String(request.headers["idempotency-key"] ?? "")
        }
        requests.push(seen)
        await reply(seen, response)
        if (response.statusCode === 201 && response.writableEnded) {
          committed.set(seen.key, (committed.get(seen.key) ?? 0) + 1)
        }
      },
      () => {}
    )
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    baseUrl: `http://127.0.0.1:${port}/api/xase/v1`,
    requests,
    inFlight: () => inFlight,
    maxInFlight: () => maxInFlight,
    committed,
    reply: (next) => {
      reply = next
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

export const scoped = (reply?: Reply): Effect.Effect<ScriptedLedger, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => start(reply)),
    (ledger) => Effect.promise(() => ledger.close())
  )

/** A reply that the test holds back until it releases it. */
export const heldBack = (then: Reply = receipt): { readonly reply: Reply; readonly release: () => void } => {
  let release = (): void => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  return {
    reply: async (request, response) => {
      await released
      await then(request, response)
    },
    release
  }
}
