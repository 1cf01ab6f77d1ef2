/**
 * Interventions, exports and the owner's routes: against the captured exchanges, and for what they promise themselves.
 */
import { execFile } from "node:child_process"
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { unzipSync } from "fflate"
import type { LedgerServer } from "../../../src/ledger-server/index.ts"
import { exchanges, shapeOf } from "../exchanges.ts"
import * as http from "../http.ts"
import { temporaryFolder, withLedger } from "../running.ts"

const captured = exchanges.filter(({ name }) => /^(intervene|export|download)\./.test(name))

/** The record that the captured exchanges are about. */
const capturedId = "txn_0747120b8111b7e005e53ea71f5e63fc"

const keys: Record<string, string> = {
  "<k_full>": "xase_pk_full_full_full_full_full_1",
  "<k_ro>": "xase_pk_readonly_readonly_readonly",
  "<k_other>": "xase_pk_other_other_other_other_ot"
}

const record = Effect.fnUntraced(function* (
  ledger: LedgerServer["Service"],
  body: object = { input: { a: 1 }, output: { b: 2 }, context: { c: 3 }, storePayload: true }
) {
  const answer = yield* http.send(ledger.origin, {
    method: "POST",
    path: "/api/xase/v1/records",
    headers: { "x-api-key": ledger.apiKey },
    body: JSON.stringify(body)
  })
  return http.receipt(answer)
})

describe("the captured exchanges of interventions and exports", () => {
  it.live("are answered with the same status, fields and words", () =>
    withLedger({ compat: "public", apiKey: keys["<k_full>"] }, (ledger) =>
      Effect.gen(function* () {
        yield* Effect.orDie(ledger.createKey({ apiKey: keys["<k_ro>"], permissions: ["verify"] }))
        yield* Effect.orDie(ledger.createKey({ apiKey: keys["<k_other>"], tenant: "other" }))
        const { transaction_id: id } = yield* record(ledger)
        assert.isAbove(captured.length, 30)
        for (const exchange of captured) {
          const received = yield* http.send(ledger.origin, {
            method: exchange.method,
            path: exchange.path.replace(capturedId, id),
            headers: Object.fromEntries(
              Object.entries(exchange.request_headers).map(([name, value]) => [name, keys[value] ?? value])
            ),
            ...(exchange.request_body === null ? {} : { body: exchange.request_body })
          })
          assert.strictEqual(received.status, exchange.status, `${exchange.name}: ${received.text}`)
          const expected = exchange.response_body
          if (typeof expected === "string") continue
          const text = JSON.stringify(expected)
          if (text.includes("(shortened)") || exchange.name === "intervene.malformed") continue
          if (exchange.status >= 400) assert.deepStrictEqual(http.json(received), expected, exchange.name)
          else assert.deepStrictEqual(shapeOf(http.json(received)), shapeOf(expected), exchange.name)
        }
      })
    )
  )
})

describe("interventions", () => {
  it.live("are immutable in the database itself and survive a restart", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const dataFolder = yield* temporaryFolder
        const apiKey = keys["<k_full>"]
        const path = yield* withLedger({ dataFolder, apiKey }, (ledger) =>
          Effect.gen(function* () {
            const { transaction_id: id } = yield* record(ledger)
            const path = `/api/xase/v1/records/${id}/intervene`
            yield* http.send(ledger.origin, {
              method: "POST",
              path,
              headers: { "x-api-key": ledger.apiKey },
              body: '{"action":"OVERRIDE","reason":"appeal","newOutcome":{"approved":true},"actorName":"Ann"}'
            })
            return path
          })
        )
        const { DatabaseSync } = yield* Effect.promise(() => import("node:sqlite"))
        const database = new DatabaseSync(join(dataFolder, "ledger.db"))
        assert.throws(() => database.exec("UPDATE interventions SET reason = 'other'"), /immutable/)
        assert.throws(() => database.exec("DELETE FROM interventions"), /immutable/)
        database.close()
        const listed = yield* withLedger({ dataFolder, apiKey }, (ledger) =>
          http.send(ledger.origin, { path, headers: { "x-api-key": ledger.apiKey } })
        )
        assert.deepInclude(http.json(listed), { total: 1 })
      })
    )
  )
})

const Export = Schema.Struct({
  bundle: Schema.Struct({
    manifest: Schema.Record(Schema.String, Schema.Json),
    proof: Schema.Struct({
      hash: Schema.String,
      signature: Schema.String,
      public_key_pem: Schema.String,
      key_id: Schema.String,
      record_hash: Schema.String
    }),
    payloads: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json))
  })
})

const download = (ledger: LedgerServer["Service"], id: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${ledger.baseUrl}/export/${id}/download`, { headers: { "x-api-key": ledger.apiKey } })
    return { status: response.status, bytes: new Uint8Array(await response.arrayBuffer()) }
  })

const run = (folder: string, args: ReadonlyArray<string>) =>
  Effect.promise(() =>
    promisify(execFile)(process.execPath, ["verify.js", ...args], { cwd: folder }).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { code: number; stdout: string }) => ({ code: error.code, stdout: error.stdout })
    )
  )

describe("a proof bundle", () => {
  it.live("verifies offline by its own script, with the published key, and not after a change", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        yield* withLedger({}, (ledger) =>
          Effect.gen(function* () {
            yield* record(ledger)
            const { transaction_id: id } = yield* record(ledger, {
              input: { n: 2 },
              output: {},
              confidence: 0.5,
              storePayload: true
            })
            const { bytes } = yield* download(ledger, id)
            for (const [name, content] of Object.entries(unzipSync(bytes))) {
              mkdirSync(dirname(join(folder, name)), { recursive: true })
              writeFileSync(join(folder, name), content)
            }
            const published = http.json(yield* http.send(ledger.origin, { path: "/api/xase/v1/public-keys" }))
            const { keys: known } = Schema.decodeUnknownSync(
              Schema.Struct({ keys: Schema.Tuple([Schema.Struct({ public_key_pem: Schema.String })]) })
            )(published)
            writeFileSync(join(folder, "trusted.pem"), known[0].public_key_pem)
          })
        )
        assert.strictEqual((yield* run(folder, ["trusted.pem"])).code, 0)
        assert.deepStrictEqual(JSON.parse(readFileSync(join(folder, "payloads/input.json"), "utf8")), { n: 2 })
        const decision = join(folder, "decision.json")
        writeFileSync(decision, readFileSync(decision, "utf8").replace('"confidence":0.5', '"confidence":0.9'))
        const tampered = yield* run(folder, ["trusted.pem"])
        assert.strictEqual(tampered.code, 1)
        assert.include(tampered.stdout, "NO   decision.json has the hash of the proof")
      })
    )
  )

  it.live("is for the tenant whose record it is, and needs the permission", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const other = yield* Effect.orDie(ledger.createKey({ tenant: "other" }))
        const reader = yield* Effect.orDie(ledger.createKey({ permissions: ["ingest", "verify"] }))
        const { transaction_id: id } = yield* record(ledger)
        const path = `/api/xase/v1/export/${id}`
        const ask = (apiKey: string) =>
          http.send(ledger.origin, { method: "POST", path, headers: { "x-api-key": apiKey } })
        assert.strictEqual((yield* ask(other.apiKey)).status, 404)
        assert.strictEqual((yield* ask(reader.apiKey)).status, 403)
        const { bundle } = Schema.decodeUnknownSync(Export)(http.json(yield* ask(ledger.apiKey)))
        assert.isUndefined(bundle.payloads)
      })
    )
  )

  it.live("is signed by a key that stays with the data folder, readable by its owner only", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const dataFolder = yield* temporaryFolder
        const exported = withLedger({ dataFolder }, (ledger) =>
          Effect.gen(function* () {
            const { transaction_id: id } = yield* record(ledger, { input: { at: ledger.origin }, output: {} })
            const answer = yield* http.send(ledger.origin, {
              method: "POST",
              path: `/api/xase/v1/export/${id}`,
              headers: { "x-api-key": ledger.apiKey }
            })
            return Schema.decodeUnknownSync(Export)(http.json(answer)).bundle.proof.key_id
          })
        )
        assert.strictEqual(yield* exported, yield* exported)
        assert.strictEqual(statSync(join(dataFolder, "signing-key.pem")).mode & 0o777, 0o600)
      })
    )
  )
})

describe("the owner's routes", () => {
  it.live("set faults and tamper with the admin key, and only with it", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const put = (adminKey: string, body: string) =>
          http.send(ledger.origin, { method: "PUT", path: "/admin/faults", headers: { "x-admin-key": adminKey }, body })
        assert.strictEqual((yield* put("wrong", "{}")).status, 401)
        assert.strictEqual((yield* put(ledger.adminKey, '{"sequence":[{"type":"bogus"}]}')).status, 400)
        assert.strictEqual((yield* put(ledger.adminKey, "{")).status, 400)
        const set = yield* put(ledger.adminKey, '{"sequence":[{"type":"status","status":503}]}')
        assert.deepStrictEqual(http.json(set), { sequence: [{ type: "status", status: 503 }] })
        const failed = yield* http.send(ledger.origin, {
          method: "POST",
          path: "/api/xase/v1/records",
          headers: { "x-api-key": ledger.apiKey },
          body: "{}"
        })
        assert.strictEqual(failed.status, 503)
        const { transaction_id: id } = yield* record(ledger)
        const tampered = yield* http.send(ledger.origin, {
          method: "POST",
          path: "/admin/tamper",
          headers: { "x-admin-key": ledger.adminKey },
          body: JSON.stringify({ type: "edit", transactionId: id, field: "confidence", value: 0.1 })
        })
        assert.deepStrictEqual(http.json(tampered), { transaction_ids: [id] })
        const verdict = http.verdict(yield* http.send(ledger.origin, { path: `/api/xase/v1/verify/${id}` }))
        assert.isFalse(verdict.is_valid)
      })
    )
  )

  it.live("health, the OpenAPI document and its page need no key and load nothing from elsewhere", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const health = http.json(yield* http.send(ledger.origin, { path: "/health" }))
        assert.deepInclude(health, { status: "ok" })
        const document = http.json(yield* http.send(ledger.origin, { path: "/openapi.json" }))
        const { info, paths } = Schema.decodeUnknownSync(
          Schema.Struct({
            info: Schema.Struct({ title: Schema.String }),
            paths: Schema.Record(Schema.String, Schema.Json)
          })
        )(document)
        assert.strictEqual(info.title, "Xase ledger")
        assert.isTrue("/api/xase/v1/records" in paths && "/api/xase/v1/export/{id}/download" in paths)
        const page = yield* http.send(ledger.origin, { path: "/docs" })
        assert.strictEqual(page.status, 200)
        assert.notMatch(page.text, /<(script|link|img)[^>]+(src|href)="?https?:/)
      })
    )
  )
})
