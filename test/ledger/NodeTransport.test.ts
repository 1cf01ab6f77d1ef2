/**
 * What lies between Node's transport and a ledger: compression and proxies.
 */
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { layer } from "../../src/ledger/NodeTransport.ts"
import { Transport } from "../../src/ledger/Transport.ts"

/** A server on a port of its own, with the authorities that clients asked it to connect to. */
const serving = (listener: RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly asked: Array<string>; readonly close: () => void }>((resume) => {
      const asked: Array<string> = []
      const server = createServer(listener).on("connect", (request, socket) => {
        asked.push(request.url ?? "")
        socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n")
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const close = () => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, asked, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

const get = (url: string) =>
  Transport.use(({ send }) => send({ method: "GET", url, headers: {}, timeout: Duration.seconds(10) })).pipe(
    Effect.provide(layer)
  )

describe("an answer", () => {
  it.live.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync]
  ] as const)("that a proxy packed with %s is read", ([encoding, pack]) =>
    Effect.gen(function* () {
      const { url } = yield* serving((_, response) => {
        response.writeHead(200, { "content-encoding": encoding })
        response.end(pack('{"success":true}'))
      })
      assert.strictEqual((yield* get(url)).text, '{"success":true}')
    }).pipe(Effect.scoped)
  )

  it.live.each([
    ["that is not what its coding says", "gzip", Buffer.from("plain")],
    ["with a coding that is not known", "zstd", Buffer.from("plain")],
    ["that grows beyond the bound", "gzip", gzipSync(Buffer.alloc(64 * 1024 * 1024))]
  ] as const)("%s is refused", ([, encoding, content]) =>
    Effect.gen(function* () {
      const { url } = yield* serving((_, response) => {
        response.writeHead(200, { "content-encoding": encoding })
        response.end(content)
      })
      assert.strictEqual((yield* Effect.flip(get(url)))._tag, "InvalidResponse")
    }).pipe(Effect.scoped)
  )
})

describe("a proxy of the environment", () => {
  it.live("is asked for other hosts, and not for this machine", () =>
    Effect.gen(function* () {
      const { asked, url } = yield* serving((_, response) => response.end("{}"))
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          process.env.HTTPS_PROXY = url
        }),
        () =>
          Effect.sync(() => {
            delete process.env.HTTPS_PROXY
          })
      )
      yield* Effect.flip(get("https://ledger.example.invalid/records"))
      assert.deepStrictEqual(asked, ["ledger.example.invalid:443"])
      assert.strictEqual((yield* get(url)).text, "{}")
    }).pipe(Effect.scoped)
  )
})
