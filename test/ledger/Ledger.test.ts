import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Ledger, layer } from "../../src/ledger/Ledger.ts"
import { Transport } from "../../src/ledger/Transport.ts"
import * as XaseConfig from "../../src/settings/XaseConfig.ts"
import { record } from "../support/records.ts"

const apiKey = "xase_pk_canary0123456789abcdefghij"

/** A ledger that answers each request with what `body` makes of it. */
const answering = (status: number, body: (headers: { readonly [name: string]: string | undefined }) => string) =>
  layer.pipe(
    Layer.provide(XaseConfig.layer({ apiKey, baseUrl: "http://localhost/api" })),
    Layer.provide(
      Layer.succeed(Transport, {
        send: (request) => Effect.succeed({ status, headers: {}, text: body(request.headers) })
      })
    )
  )

describe("an answer that quotes the API key (R32)", () => {
  const echoes = [
    (key: string) => JSON.stringify({ error: `Invalid API key ${key}`, code: "UNAUTHORIZED" }),
    (key: string) => JSON.stringify({ error: "no", details: [{ path: ["x", key], message: `${key} ${key}` }] }),
    (key: string) => JSON.stringify({ required_permission: key, usage: { tier: key } }),
    (key: string) => `<html>Bad gateway. You sent: X-Api-Key: ${key}</html>`
  ]

  it.effect.each([200, 201, 301, 400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502])(
    "with status %s does not bring it into an error",
    (status) =>
      Effect.gen(function* () {
        for (const echo of echoes) {
          let seen = ""
          const error = yield* Ledger.use((ledger) => Effect.flip(ledger.append(record()))).pipe(
            Effect.provide(
              answering(status, (headers) => {
                seen = headers["x-api-key"] ?? ""
                return echo(seen)
              })
            )
          )
          assert.strictEqual(seen, apiKey)
          const everything = inspect(error, { depth: 9, showHidden: true }) + error.message + JSON.stringify(error)
          assert.notInclude(everything, apiKey)
        }
      })
  )
})

describe("an answer that quotes the request", () => {
  const body = '{"input":{"name":"Ann Lee","ssn":"SSN-123-45-6789","income":48250},"output":{}}'
  const secrets = ["Lee", "SSN-123", "48250"]
  const echoes = [
    JSON.stringify({ error: "blocked: ssn-123-45-6789 of Ann Lee", code: "VALIDATION_ERROR" }),
    JSON.stringify({
      error: "no",
      details: [{ path: ["input", "ssn"], message: "received 'SSN-123-45-6789', 48250" }]
    }),
    JSON.stringify({ error: 'matched "ssn":"SSN-123-45-6789"', quoted: JSON.parse(body) }),
    `<html>Request body was: ${body}</html>`
  ]

  it.effect.each([400, 403, 404, 409, 413, 422, 429, 500, 502])(
    "with status %s brings no value of it into an error",
    (status) =>
      Effect.gen(function* () {
        for (const echo of echoes) {
          const error = yield* Ledger.use((ledger) => Effect.flip(ledger.append(record({ body })))).pipe(
            Effect.provide(answering(status, () => echo))
          )
          const everything = inspect(error, { depth: 9, showHidden: true }) + error.message + JSON.stringify(error)
          for (const secret of secrets) assert.notInclude(everything, secret)
        }
      })
  )

  it.effect("still says which field the ledger refused", () =>
    Effect.gen(function* () {
      const error = yield* Ledger.use((ledger) => Effect.flip(ledger.append(record({ body })))).pipe(
        Effect.provide(answering(400, () => echoes[1] ?? ""))
      )
      assert.include(error.message, "input.ssn: received '[...]', [...]")
    })
  )
})
