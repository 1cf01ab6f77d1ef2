/**
 * The contract: exchanges with the public ledger, sent again to this one in `compat: "public"`.
 *
 * Errors must be the same text. Successes must have the same fields of the same types under the same status.
 */
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import { LedgerServer } from "../../src/ledger-server/index.ts"
import { type Exchange, exchanges, shapeOf } from "./exchanges.ts"
import * as http from "./http.ts"

/** Sent again as they are. What needs more than one request, or a body that the capture shortened, has tests of its own. */
const replayed = exchanges.filter(
  ({ name, request_body }) =>
    /^(auth|post|method|path|cookie|list|idem\.format|verify\.(unknown|garbage|encoded))/.test(name) &&
    !(request_body ?? "").startsWith("<") &&
    // The capture cannot hold gzip; a negative limit turns the public listing round, which nobody wants back.
    !["post.gzip_body", "list?limit=-1"].includes(name)
)

const keys = {
  full: "xase_pk_full_full_full_full_full_1",
  readOnly: "xase_pk_readonly_readonly_readonly",
  suspended: "xase_pk_suspended_suspended_susp"
}

/** The capture names its keys; those that it calls `<key>` are told apart by the exchange. */
const keyFor = (name: string, placeholder: string, header: string): string => {
  if (placeholder === "<k_ro>" || placeholder === "<k_default>") return keys.readOnly
  if (placeholder === "<k_susp>") return keys.suspended
  if (/bad_format|both_headers/.test(name) && header === "x-api-key") return "nonsense"
  if (/xapikey_empty/.test(name) && header === "x-api-key") return ""
  if (/^auth\.(short_key|no_pk_prefix|unknown)/.test(name)) return "xase_pk_aaaaaaaaaaaaaaaaaaaaaaa"
  return keys.full
}

const headersOf = ({ name, request_headers }: Exchange): Record<string, string> =>
  Object.fromEntries(
    Object.entries(request_headers).map(([header, value]) => [
      header,
      value.replace(/<k\w*>/, (placeholder) => keyFor(name, placeholder, header.toLowerCase()))
    ])
  )

const isShortened = (body: Schema.Json): boolean => typeof body === "object" && body !== null && "(shortened)" in body

const isExact = ({ path, status }: Exchange): boolean => status >= 400 && !path.includes("/records/txn_")

const contentType = (value: unknown): string => String(value ?? "").split(";")[0] ?? ""

const checkBody = (exchange: Exchange, received: http.Received) => {
  const expected = exchange.response_body
  if (typeof expected === "string" || isShortened(expected)) return
  if (isExact(exchange)) return assert.deepStrictEqual(http.json(received), expected)
  // The values of a page depend on what was recorded before; nulls may be values.
  if (exchange.name.startsWith("list")) {
    return assert.deepStrictEqual(Object.keys(Object(http.json(received))), Object.keys(Object(expected)))
  }
  assert.deepStrictEqual(shapeOf(http.json(received)), shapeOf(expected))
}

const makeKeys = Effect.gen(function* () {
  const ledger = yield* LedgerServer
  yield* ledger.createKey({ apiKey: keys.readOnly, permissions: ["verify"] })
  yield* ledger.createKey({ apiKey: keys.suspended, tenant: "suspended" })
  yield* ledger.setTenantStatus("suspended", "SUSPENDED")
})

const Public = Layer.effectDiscard(makeKeys).pipe(
  Layer.provideMerge(LedgerServer.layer({ compat: "public", apiKey: keys.full }))
)

layer(Public, { excludeTestServices: true })("the contract of the public ledger", (it) => {
  it.effect("has exchanges to compare with", () => Effect.sync(() => assert.isAbove(replayed.length, 125)))

  describe("answers like the public ledger to", () => {
    for (const exchange of replayed) {
      it.effect(exchange.name, () =>
        Effect.gen(function* () {
          const { origin } = yield* LedgerServer
          const received = yield* http.send(origin, {
            method: exchange.method,
            path: exchange.path,
            headers: headersOf(exchange),
            ...(exchange.request_body === null ? {} : { body: exchange.request_body })
          })
          assert.strictEqual(received.status, exchange.status, received.text)
          if (exchange.response_headers["content-type"] !== undefined) {
            assert.strictEqual(
              contentType(received.headers["content-type"]),
              contentType(exchange.response_headers["content-type"])
            )
          }
          checkBody(exchange, received)
          for (const name of ["x-ratelimit-limit", "x-idempotency-replay", "allow"]) {
            assert.strictEqual(received.headers[name], exchange.response_headers[name], name)
          }
          assert.strictEqual(
            received.headers["x-ratelimit-remaining"] === undefined,
            exchange.response_headers["x-ratelimit-remaining"] === undefined
          )
        })
      )
    }
  })
})
