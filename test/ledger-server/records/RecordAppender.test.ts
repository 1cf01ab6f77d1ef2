/**
 * `POST /records` where the order of the checks, replays and limits matter.
 */
import { createConnection } from "node:net"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as client from "../client.ts"
import * as http from "../http.ts"
import { withLedger } from "../running.ts"

const decision = { input: { a: 1 }, output: { b: 2 } }
const key = (name: string) => ({ "idempotency-key": name.padEnd(16, "_") })
const codeOf = (received: http.Received): unknown => Object(http.json(received)).code

describe("idempotency", () => {
  it.live("replays the first answer byte for byte, without headers of a limit", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const first = yield* client.post(ledger, decision, key("first"))
        const again = yield* client.post(ledger, decision, key("first"))
        assert.strictEqual(again.status, 201)
        assert.strictEqual(again.text, first.text)
        assert.strictEqual(again.headers["x-idempotency-replay"], "true")
        assert.isUndefined(first.headers["x-idempotency-replay"])
        assert.isUndefined(again.headers["x-ratelimit-limit"])
        assert.strictEqual((yield* client.list(ledger)).pagination.total, 1)
      })
    )
  )

  it.live("refuses another body under a used key, valid or not", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        yield* client.record(ledger, decision, key("used"))
        for (const other of [{ input: { a: 2 }, output: {} }, "{{{", {}]) {
          const refused = yield* client.post(ledger, other, key("used"))
          assert.strictEqual(refused.status, 409)
          assert.strictEqual(codeOf(refused), "IDEMPOTENCY_CONFLICT")
        }
        assert.strictEqual((yield* client.list(ledger)).pagination.total, 1)
      })
    )
  )

  it.live("knows the same decision by its fingerprint, though its body has another time", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const [mine, other] = ["a", "b"].map((digit) => ({ ...key("said"), "x-xase-fingerprint": digit.repeat(64) }))
        const first = yield* client.post(ledger, { ...decision, context: { timestamp: 1 } }, mine)
        const again = yield* client.post(ledger, { ...decision, context: { timestamp: 2 } }, mine)
        assert.strictEqual(again.text, first.text)
        assert.strictEqual(again.headers["x-idempotency-replay"], "true")
        assert.strictEqual((yield* client.post(ledger, { ...decision, context: { timestamp: 3 } }, other)).status, 409)
        // A client that sends none is judged by its body, as before.
        assert.strictEqual(
          (yield* client.post(ledger, { ...decision, context: { timestamp: 1 } }, key("said"))).status,
          201
        )
        assert.strictEqual(
          (yield* client.post(ledger, { ...decision, context: { timestamp: 4 } }, key("said"))).status,
          409
        )
        assert.strictEqual((yield* client.list(ledger)).pagination.total, 1)
      })
    )
  )

  it.live("replays for any body with compat: public", () =>
    withLedger({ compat: "public" }, (ledger) =>
      Effect.gen(function* () {
        const first = yield* client.post(ledger, decision, key("used"))
        for (const other of [{ input: { a: 2 }, output: {} }, "{{{", {}]) {
          assert.strictEqual((yield* client.post(ledger, other, key("used"))).text, first.text)
        }
      })
    )
  )

  it.live("makes one record of ten parallel posts with one key", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const posts = Array.from({ length: 10 }, () => client.record(ledger, decision, key("parallel")))
        const receipts = yield* Effect.all(posts, { concurrency: 10 })
        assert.strictEqual(new Set(receipts.map(({ transaction_id }) => transaction_id)).size, 1)
        assert.strictEqual((yield* client.list(ledger)).pagination.total, 1)
      })
    )
  )

  it.live("remembers no refusal, and tells tenants and cases apart", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* client.post(ledger, { input: 1 }, key("refused"))).status, 400)
        yield* client.record(ledger, decision, key("refused"))
        const other = yield* ledger.createKey({ tenant: "other" })
        yield* client.record({ origin: ledger.origin, apiKey: other.apiKey }, decision, key("refused"))
        yield* client.record(ledger, decision, key("REFUSED"))
        assert.strictEqual((yield* client.list(ledger)).pagination.total, 2)
      })
    )
  )

  it.effect("forgets a key after 24 hours", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const first = yield* client.record(ledger, decision, key("day"))
        yield* TestClock.adjust("23 hours")
        assert.strictEqual((yield* client.record(ledger, decision, key("day"))).transaction_id, first.transaction_id)
        yield* TestClock.adjust("1 hour")
        const fresh = yield* client.record(ledger, { input: { a: 2 }, output: {} }, key("day"))
        assert.notStrictEqual(fresh.transaction_id, first.transaction_id)
      })
    )
  )

  it.live("checks the form of a key before the body, and permission before both", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const short = { "idempotency-key": "short" }
        assert.strictEqual(codeOf(yield* client.post(ledger, "{{{", short)), "INVALID_IDEMPOTENCY_KEY")
        const { apiKey } = yield* ledger.createKey({ permissions: ["verify"] })
        assert.strictEqual((yield* client.post({ origin: ledger.origin, apiKey }, "{{{", short)).status, 403)
      })
    )
  )
})

describe("rate limit", () => {
  it.effect("counts records and refusals, not replays, and begins anew with the UTC clock hour", () =>
    withLedger({ rateLimit: 3 }, (ledger) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(Date.UTC(2026, 0, 1, 10, 59, 30))
        const first = yield* client.post(ledger, decision, key("limited"))
        assert.strictEqual(first.headers["x-ratelimit-limit"], "3")
        assert.strictEqual(first.headers["x-ratelimit-remaining"], "2")
        assert.strictEqual((yield* client.post(ledger, {})).status, 400)
        assert.strictEqual((yield* client.post(ledger, decision)).headers["x-ratelimit-remaining"], "0")

        const limited = yield* client.post(ledger, "{")
        assert.strictEqual(limited.status, 429)
        assert.deepStrictEqual(http.json(limited), {
          error: "Rate limit exceeded",
          code: "RATE_LIMIT_EXCEEDED",
          retry_after: 30
        })
        assert.strictEqual(limited.headers["retry-after"], "30")
        assert.strictEqual(limited.headers["x-ratelimit-reset"], String(Date.UTC(2026, 0, 1, 11)))
        assert.strictEqual(limited.headers["x-ratelimit-remaining"], "0")

        assert.strictEqual((yield* client.post(ledger, decision, key("limited"))).text, first.text)
        yield* client.list(ledger)
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual((yield* client.post(ledger, decision)).status, 201)
      })
    )
  )

  it.live("is one per key; a key may have its own; unlimited says nothing", () =>
    withLedger({ rateLimit: Number.POSITIVE_INFINITY }, (ledger) =>
      Effect.gen(function* () {
        assert.isUndefined((yield* client.post(ledger, decision)).headers["x-ratelimit-limit"])
        const { apiKey } = yield* ledger.createKey({ rateLimit: 1 })
        const limited = { origin: ledger.origin, apiKey }
        assert.strictEqual((yield* client.post(limited, decision)).status, 201)
        assert.strictEqual((yield* client.post(limited, decision)).status, 429)
        assert.strictEqual((yield* client.post(ledger, decision)).status, 201)
      })
    )
  )

  it.live("is said as the public ledger says it, with compat: public", () =>
    withLedger({ rateLimit: 2, compat: "public" }, (ledger) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* client.post(ledger, decision)).headers["x-ratelimit-remaining"], "0")
        assert.strictEqual((yield* client.post(ledger, decision)).headers["x-ratelimit-remaining"], "-1")
        const limited = yield* client.post(ledger, decision)
        assert.strictEqual(Object(http.json(limited)).retry_after, 3600)
        assert.isUndefined(limited.headers["retry-after"])
        assert.match(String(limited.headers["x-ratelimit-reset"]), /^\d{13}$/)
      })
    )
  )
})

describe("quota", () => {
  it.live("charges refused bodies too, replays never, and comes before the body", () =>
    withLedger({ quota: 3 }, (ledger) =>
      Effect.gen(function* () {
        const first = yield* client.post(ledger, decision, key("quota"))
        assert.strictEqual((yield* client.post(ledger, {})).status, 400)
        assert.strictEqual((yield* client.post(ledger, "{")).status, 500)
        for (const body of [decision, {}, "{"]) {
          const refused = yield* client.post(ledger, body)
          assert.strictEqual(refused.status, 402)
          assert.deepStrictEqual(http.json(refused), {
            error: "Limit exceeded",
            usage: { used: 3, limit: 3, tier: "free" },
            code: "LIMIT_EXCEEDED"
          })
        }
        assert.strictEqual((yield* client.post(ledger, decision, key("quota"))).text, first.text)
      })
    )
  )
})

describe("bodies", () => {
  it.live("are refused with 413 above the limit, declared or not, and the ledger goes on", () =>
    withLedger({ maxBodyBytes: 1000 }, (ledger) =>
      Effect.gen(function* () {
        const large = JSON.stringify({ input: { text: "x".repeat(2000) }, output: {} })
        const declared = yield* client.post(ledger, large, { "content-length": String(large.length) })
        assert.strictEqual(declared.status, 413)
        assert.strictEqual(codeOf(declared), "PAYLOAD_TOO_LARGE")
        const chunked = yield* client.post(ledger, large, { "transfer-encoding": "chunked" })
        assert.strictEqual(chunked.status, 413)
        assert.strictEqual((yield* client.post(ledger, decision)).status, 201)
      })
    )
  )

  it.live("of 8 MiB are taken, stored and verified", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const large = { input: { text: "x".repeat(8 * 1024 * 1024) }, output: {}, storePayload: true }
        const { transaction_id } = yield* client.record(ledger, large)
        assert.isTrue((yield* client.verify(ledger, transaction_id)).is_valid)
      })
    )
  )

  it.live("of clients that wait to be told to go on are taken, and limited", () =>
    withLedger({ maxBodyBytes: 1000 }, (ledger) =>
      Effect.gen(function* () {
        const expect = { expect: "100-continue", "transfer-encoding": "chunked" }
        assert.strictEqual((yield* client.post(ledger, decision, expect)).status, 201)
        assert.strictEqual((yield* client.post(ledger, `"${"x".repeat(2000)}"`, expect)).status, 413)
      })
    )
  )

  it.live("that are compressed, or nested 5,000 deep, answer 500; 3,000 arrays are taken", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const compressed = yield* http.send(ledger.origin, {
          method: "POST",
          path: "/api/xase/v1/records",
          headers: { "x-api-key": ledger.apiKey, "content-encoding": "gzip" },
          body: gzipSync(JSON.stringify(decision))
        })
        assert.strictEqual(compressed.status, 500)
        const nested = (open: string, close: string, depth: number) =>
          `{"input":{"n":${open.repeat(depth)}1${close.repeat(depth)}},"output":{}}`
        assert.strictEqual((yield* client.post(ledger, nested('{"k":', "}", 5000))).status, 500)
        assert.strictEqual((yield* client.post(ledger, nested('{"k":', "}", 100_000))).status, 500)
        assert.strictEqual((yield* client.post(ledger, nested("[", "]", 3000))).status, 201)
      })
    )
  )

  it.live("are kept only with storePayload, which changes no hash", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const { apiKey } = yield* ledger.createKey({ tenant: "other" })
        const other = { origin: ledger.origin, apiKey }
        const plain = yield* client.record(ledger, decision)
        const kept = yield* client.record(other, { ...decision, storePayload: true })
        assert.strictEqual(kept.record_hash, plain.record_hash)
        assert.isFalse((yield* client.verify(ledger, plain.transaction_id)).verification.payload_available)
        assert.isTrue((yield* client.verify(other, kept.transaction_id)).verification.payload_available)
      })
    )
  )
})

describe("safety", () => {
  it.live("refuses foreign Host headers and takes its own names", () =>
    withLedger({ allowedHosts: ["ledger.test"] }, (ledger) =>
      Effect.gen(function* () {
        const port = new URL(ledger.origin).port
        const ask = (host: string) => http.send(ledger.origin, { path: "/xase/records", headers: { host } })
        for (const host of ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test:80"]) {
          assert.strictEqual((yield* ask(host)).status, 421, host)
        }
        for (const host of ["localhost", `127.0.0.1:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`, "ledger.test"]) {
          assert.strictEqual((yield* ask(host)).status, 200, host)
        }
      })
    )
  )

  it.live("ends a revoked key and a suspended tenant at once", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const { apiKey, id } = yield* ledger.createKey()
        const target = { origin: ledger.origin, apiKey }
        assert.strictEqual((yield* client.post(target, decision)).status, 201)
        assert.isTrue(yield* ledger.revokeKey(id))
        assert.isFalse(yield* ledger.revokeKey(id))
        assert.strictEqual((yield* client.post(target, decision)).status, 401)
        yield* ledger.setTenantStatus("local", "SUSPENDED")
        assert.strictEqual((yield* client.post(ledger, decision)).status, 401)
        yield* ledger.setTenantStatus("local", "ACTIVE")
        assert.strictEqual((yield* client.post(ledger, decision)).status, 201)
      })
    )
  )

  it.live("cuts off a client that sends its body too slowly", () =>
    withLedger({ requestTimeout: 200 }, (ledger) =>
      Effect.gen(function* () {
        const said = yield* Effect.callback<string>((resume) => {
          const socket = createConnection(Number(new URL(ledger.origin).port), "127.0.0.1")
          let text = ""
          socket.on("data", (chunk) => {
            text += chunk.toString()
          })
          socket.on("close", () => resume(Effect.succeed(text)))
          socket.on("error", () => undefined)
          const head = `POST /api/xase/v1/records HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${ledger.apiKey}\r\n`
          socket.write(`${head}Content-Length: 100\r\n\r\n{`)
          return Effect.sync(() => socket.destroy())
        })
        assert.match(said, /^HTTP\/1\.1 408/)
        assert.strictEqual((yield* client.post(ledger, decision)).status, 201)
      })
    )
  )

  it.live("lists pages in order, and says what is wrong with a page", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        for (const policyId of ["a", "b", "a", "c", "a%"]) yield* client.record(ledger, { ...decision, policyId })
        const page = yield* client.list(ledger, "?page=2&limit=2")
        assert.deepStrictEqual(page.pagination, { page: 2, limit: 2, total: 5, pages: 3 })
        assert.deepStrictEqual(
          page.records.map(({ policyId }) => policyId),
          ["a", "b"]
        )
        assert.strictEqual((yield* client.list(ledger, "?policyId=a")).pagination.total, 2)
        assert.strictEqual((yield* client.list(ledger, "?search=a%25")).pagination.total, 1)
        const id = page.records[0]?.transactionId ?? ""
        assert.strictEqual((yield* client.list(ledger, `?search=${id}`)).pagination.total, 1)
        for (const query of ["limit=abc", "limit=0", "page=-1", "page=1.5", "page="]) {
          const refused = yield* http.send(ledger.origin, {
            path: `/api/xase/v1/records?${query}`,
            headers: { "x-api-key": ledger.apiKey }
          })
          assert.strictEqual(refused.status, 400, query)
          assert.strictEqual(codeOf(refused), "VALIDATION_ERROR")
        }
      })
    )
  )

  it.live("escapes what it shows", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const policyId = `<script>alert("x")</script>&'`
        const { transaction_id } = yield* client.record(ledger, { ...decision, policyId, storePayload: true })
        for (const path of ["/xase/records", `/xase/receipt/${transaction_id}`]) {
          const page = yield* http.send(ledger.origin, { path })
          assert.strictEqual(page.status, 200)
          assert.notInclude(page.text, "<script>")
          assert.include(page.text, "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;")
          assert.include(String(page.headers["content-security-policy"]), "default-src 'none'")
        }
        const missing = yield* http.send(ledger.origin, { path: "/xase/receipt/%3Cb%3E" })
        assert.strictEqual(missing.status, 404)
        assert.include(missing.text, "&lt;b&gt;")
      })
    )
  )
})
