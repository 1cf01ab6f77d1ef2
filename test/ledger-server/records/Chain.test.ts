/**
 * The chain: golden vectors, one line whatever happens, the same line after a restart.
 */
import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isApiKey } from "../../../src/ledger-server/keys/ApiKeys.ts"
import * as Chain from "../../../src/ledger-server/records/Chain.ts"
import * as RecordPayload from "../../../src/ledger-server/records/RecordPayload.ts"
import * as TransactionId from "../../../src/ledger-server/records/TransactionId.ts"
import * as client from "../client.ts"
import type * as http from "../http.ts"
import { temporaryFolder, withLedger } from "../running.ts"

const Vectors = Schema.Struct({
  records: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      input_json: Schema.String,
      output_json: Schema.String,
      context_json: Schema.NullOr(Schema.String),
      previous_hash: Schema.NullOr(Schema.String),
      input_hash: Schema.String,
      output_hash: Schema.String,
      context_hash: Schema.NullOr(Schema.String),
      record_hash: Schema.String
    })
  ),
  validators: Schema.Struct({
    isValidApiKey: Schema.Array(Schema.Struct({ v: Schema.String, ok: Schema.Boolean })),
    isValidTransactionId: Schema.Array(Schema.Struct({ v: Schema.String, ok: Schema.Boolean }))
  })
})

const vectors = Schema.decodeUnknownSync(Schema.fromJsonString(Vectors))(
  readFileSync(new URL("../../vectors/hash-vectors.json", import.meta.url), "utf8")
)

/** The body of a vector, with its texts as they are: the order of nested keys counts. */
const bodyOf = (vector: (typeof vectors.records)[number]): string =>
  `{"input":${vector.input_json},"output":${vector.output_json},` +
  `${vector.context_json === null ? "" : `"context":${vector.context_json},`}"storePayload":true}`

/** Follows the chain from its newest record to the first; fails where it is no line. */
const chainOf = Effect.fnUntraced(function* (ledger: client.Target) {
  const line: Array<string> = []
  const { pagination } = yield* client.list(ledger, "?limit=1")
  for (let page = 1; page <= Math.ceil(pagination.total / 100); page++) {
    const { records } = yield* client.list(ledger, `?limit=100&page=${page}`)
    line.push(...records.map(({ transactionId }) => transactionId))
  }
  const verdicts = yield* Effect.forEach(line, (id) => client.verify(ledger, id))
  return verdicts.reverse()
})

const assertLine = (verdicts: ReadonlyArray<ReturnType<typeof http.verdict>>) => {
  let previous: string | null = null
  for (const [index, { chain, is_valid }] of verdicts.entries()) {
    assert.isTrue(is_valid)
    assert.strictEqual(chain.previous_hash, previous)
    assert.strictEqual(chain.is_genesis, index === 0)
    assert.strictEqual(chain.has_next, index < verdicts.length - 1)
    previous = chain.record_hash
  }
}

describe("golden vectors", () => {
  it("hashes every record like the public ledger", () => {
    for (const vector of vectors.records) {
      const parsed = RecordPayload.validate(RecordPayload.parse(bodyOf(vector)))
      assert(parsed._tag === "Valid", vector.name)
      const link = Chain.link(vector.previous_hash, Chain.hashPayload(parsed.payload))
      assert.deepStrictEqual(
        link,
        {
          previousHash: vector.previous_hash,
          inputHash: vector.input_hash,
          outputHash: vector.output_hash,
          contextHash: vector.context_hash,
          recordHash: vector.record_hash
        },
        vector.name
      )
    }
  })

  it("knows an API key by its form", () => {
    for (const { ok, v } of vectors.validators.isValidApiKey) assert.strictEqual(isApiKey(v), ok, v)
  })

  it("makes ids of the contract's form, growing with time", () => {
    const earlier = TransactionId.make(1_795_420_134_000)
    assert.match(earlier, /^txn_[0-9a-f]{32}$/)
    assert.isTrue(earlier < TransactionId.make(1_795_420_134_001))
    assert.notStrictEqual(TransactionId.make(1), TransactionId.make(1))
  })

  for (const compat of ["embedded", "public"] as const) {
    it.live(`builds the golden chain over HTTP (${compat})`, () =>
      withLedger({ compat }, (ledger) =>
        Effect.gen(function* () {
          for (const [index, vector] of vectors.records.entries()) {
            const receipt = yield* client.record(ledger, bodyOf(vector))
            assert.strictEqual(receipt.record_hash, vector.record_hash, vector.name)
            assert.strictEqual(receipt.chain_position, index === 0 ? "genesis" : "chained")
            assert.strictEqual(receipt.receipt_url, `${ledger.origin}/xase/receipt/${receipt.transaction_id}`)
            const found = yield* client.verify(ledger, receipt.transaction_id)
            assert.isTrue(found.is_valid, vector.name)
            assert.strictEqual(found.chain.previous_hash, vector.previous_hash)
            assert.isTrue(found.verification.payload_available)
          }
          assertLine(yield* chainOf(ledger))
        })
      )
    )
  }
})

describe("a line", () => {
  it.live("stays one under 64 concurrent writers", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const write = (writer: number) =>
          Effect.forEach([1, 2, 3, 4], (n) => client.record(ledger, { input: { writer, n }, output: {} }))
        yield* Effect.forEach(
          Array.from({ length: 64 }, (_, writer) => writer),
          write,
          { concurrency: 64 }
        )
        const verdicts = yield* chainOf(ledger)
        assert.strictEqual(verdicts.length, 256)
        assertLine(verdicts)
      })
    )
  )

  it.live("takes twenty identical records at once", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const same = Array.from({ length: 20 }, () => client.post(ledger, { input: { same: 1 }, output: {} }))
        const answers = yield* Effect.all(same, { concurrency: 20 })
        assert.deepStrictEqual(new Set(answers.map(({ status }) => status)), new Set([201]))
        assertLine(yield* chainOf(ledger))
      })
    )
  )

  it.live("is one per tenant", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const other = yield* ledger.createKey({ tenant: "other" })
        const body = { input: { a: 1 }, output: { b: 2 } }
        const mine = yield* client.record(ledger, body)
        const theirs = yield* client.record({ origin: ledger.origin, apiKey: other.apiKey }, body)
        assert.strictEqual(theirs.chain_position, "genesis")
        assert.strictEqual(theirs.record_hash, mine.record_hash)
        assert.strictEqual((yield* client.list(ledger)).pagination.total, 1)
      })
    )
  )

  it.live("goes on where it was after a restart, keys and idempotency keys included", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const dataFolder = yield* temporaryFolder
        const apiKey = "xase_pk_restart_restart_restart_1"
        const body = { input: { r: 1 }, output: {} }
        const headers = { "idempotency-key": "restart_test_key_0001" }
        const first = yield* withLedger({ dataFolder, apiKey }, (ledger) =>
          Effect.gen(function* () {
            assert.strictEqual(statSync(join(dataFolder, "ledger.db")).mode & 0o777, 0o600)
            return yield* client.post(ledger, body, headers)
          })
        )
        yield* withLedger({ dataFolder }, (ledger) =>
          Effect.gen(function* () {
            const again = { origin: ledger.origin, apiKey }
            const replayed = yield* client.post(again, body, headers)
            assert.strictEqual(replayed.headers["x-idempotency-replay"], "true")
            assert.strictEqual(replayed.text, first.text)
            const next = yield* client.record(again, { input: { r: 2 }, output: {} })
            assert.strictEqual(next.chain_position, "chained")
            const verdicts = yield* chainOf(again)
            assert.strictEqual(verdicts.length, 2)
            assertLine(verdicts)
          })
        )
      })
    )
  )

  it.live("stays one when two ledgers write to one folder", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const dataFolder = yield* temporaryFolder
        yield* withLedger({ dataFolder }, (one) =>
          withLedger({ dataFolder }, (other) =>
            Effect.gen(function* () {
              const write = (n: number) => client.record(n % 2 === 0 ? one : other, { input: { n }, output: {} })
              yield* Effect.forEach(
                Array.from({ length: 60 }, (_, n) => n),
                write,
                { concurrency: 12 }
              )
              const verdicts = yield* chainOf(one)
              assert.strictEqual(verdicts.length, 60)
              assertLine(verdicts)
            })
          )
        )
      })
    )
  )
})

describe("the public ledger's weaknesses, on request", () => {
  it.live("forks under parallel posts", () =>
    withLedger({ compat: "public" }, (ledger) =>
      Effect.gen(function* () {
        const posts = Array.from({ length: 20 }, (_, n) => client.record(ledger, { input: { n }, output: {} }))
        const receipts = yield* Effect.all(posts, { concurrency: 20 })
        const verdicts = yield* Effect.forEach(receipts, ({ transaction_id }) => client.verify(ledger, transaction_id))
        const predecessors = new Set(verdicts.map(({ chain }) => chain.previous_hash))
        assert.isBelow(predecessors.size, 20)
      })
    )
  )

  it.live("refuses identical records that meet with 500", () =>
    withLedger({ compat: "public" }, (ledger) =>
      Effect.gen(function* () {
        const same = Array.from({ length: 10 }, () => client.post(ledger, { input: { same: 1 }, output: {} }))
        const statuses = (yield* Effect.all(same, { concurrency: 10 })).map(({ status }) => status)
        assert.include(statuses, 201)
        assert.include(statuses, 500)
      })
    )
  )

  it.live("records twice what arrives twice at once under one key", () =>
    withLedger({ compat: "public" }, (ledger) =>
      Effect.gen(function* () {
        const headers = { "idempotency-key": "f1bc857e-875b-4fa7-986f-ae202d2a0950" }
        const posts = [1, 2, 3].map((n) => client.record(ledger, { input: { n }, output: {} }, headers))
        const receipts = yield* Effect.all(posts, { concurrency: 3 })
        assert.isAbove(new Set(receipts.map(({ transaction_id }) => transaction_id)).size, 1)
      })
    )
  )
})
