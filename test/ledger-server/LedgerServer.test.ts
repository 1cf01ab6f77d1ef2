/**
 * Starting and stopping: both faces, and every way in which a start can fail.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type LedgerOptions, LedgerStartFailed, startLedger } from "../../src/ledger-server/index.ts"
import * as client from "./client.ts"
import * as http from "./http.ts"
import { temporaryFolder, withLedger } from "./running.ts"

const startFailure = (options: LedgerOptions) =>
  Effect.map(Effect.flip(withLedger(options, () => Effect.void)), (error) => {
    assert(error._tag === "LedgerStartFailed")
    return error
  })

describe("startLedger", () => {
  it("runs until it is closed, and may be closed twice", async () => {
    const ledger = await startLedger({ rateLimit: "unlimited" })
    assert.match(ledger.origin, /^http:\/\/127\.0\.0\.1:\d+$/)
    assert.strictEqual(ledger.baseUrl, `${ledger.origin}/api/xase/v1`)
    assert.strictEqual(ledger.dashboardUrl, `${ledger.origin}/xase/records`)
    assert.match(ledger.apiKey, /^xase_pk_[0-9a-f]{48}$/)
    const post = (apiKey: string) =>
      fetch(`${ledger.baseUrl}/records`, {
        method: "POST",
        headers: { authorization: `Bearer ${apiKey}` },
        body: JSON.stringify({ input: {}, output: {} })
      })
    assert.strictEqual((await post(ledger.apiKey)).status, 201)
    const { apiKey, id } = await ledger.createKey({ permissions: ["verify"] })
    assert.strictEqual((await post(apiKey)).status, 403)
    assert.isTrue(await ledger.revokeKey(id))
    await ledger.setFaults({ sequence: [{ type: "status", status: 503 }] })
    assert.strictEqual((await ledger.faults()).sequence?.length, 1)
    assert.strictEqual((await post(ledger.apiKey)).status, 503)
    await ledger.close()
    await ledger.close()
    assert.isTrue(
      await post(ledger.apiKey).then(
        () => false,
        () => true
      )
    )
  })

  it("is disposed of by await using", async () => {
    let baseUrl: string
    {
      await using ledger = await startLedger()
      baseUrl = ledger.baseUrl
    }
    assert.isTrue(
      await fetch(baseUrl).then(
        () => false,
        () => true
      )
    )
  })

  it("rejects with the reason", async () => {
    const error = await startLedger({ port: -1 }).catch((cause: unknown) => cause)
    assert.instanceOf(error, LedgerStartFailed)
  })
})

describe("a start that fails", () => {
  it.live("names the option", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<readonly [LedgerOptions, string]> = [
        [{ port: 70_000 }, "port"],
        [{ port: 1.5 }, "port"],
        [{ host: "" }, "host"],
        [{ dataFolder: "" }, "dataFolder"],
        [{ apiKey: "short" }, "apiKey"],
        [{ rateLimit: -1 }, "rateLimit"],
        [{ rateLimit: Number.NaN }, "rateLimit"],
        [{ quota: 0.5 }, "quota"],
        [{ maxBodyBytes: 0 }, "maxBodyBytes"],
        [{ requestTimeout: 0 }, "requestTimeout"]
      ]
      for (const [options, name] of wrong) {
        const error = yield* startFailure(options)
        assert.strictEqual(error.reason, "Options")
        assert.include(error.message, name)
      }
    })
  )

  it.live("names the port that is in use", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const port = Number(new URL(ledger.origin).port)
        const error = yield* startFailure({ port })
        assert.strictEqual(error.reason, "PortInUse")
        assert.include(error.message, String(port))
        assert.strictEqual((yield* client.post(ledger, { input: {}, output: {} })).status, 201)
      })
    )
  )

  it.live("names an address that is not this machine's", () =>
    Effect.map(startFailure({ host: "192.0.2.1" }), (error) => assert.strictEqual(error.reason, "Address"))
  )

  it.live("names a data folder that cannot be one", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = join(yield* temporaryFolder, "file")
        writeFileSync(file, "")
        const error = yield* startFailure({ dataFolder: file })
        assert.strictEqual(error.reason, "DataFolder")
        assert.include(error.message, file)
      })
    )
  )

  it.live("names a database that is damaged, and leaves it as it is", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const dataFolder = yield* temporaryFolder
        const database = join(dataFolder, "ledger.db")
        writeFileSync(database, "this is no database, but it is long enough to look like one ".repeat(100))
        const before = readFileSync(database)
        const error = yield* startFailure({ dataFolder })
        assert.strictEqual(error.reason, "Database")
        assert.include(error.message, "not a database")
        assert.isTrue(readFileSync(database).equals(before))
      })
    )
  )
})

describe("the data folder", () => {
  it.live("is private, keeps no key in clear, and refuses changes to records", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const dataFolder = join(yield* temporaryFolder, "new", "folder")
        const apiKey = yield* withLedger({ dataFolder }, (ledger) =>
          Effect.as(client.record(ledger, { input: {}, output: {} }), ledger.apiKey)
        )
        assert.notInclude(readFileSync(join(dataFolder, "ledger.db"), "latin1"), apiKey.slice(16))
        const database = new DatabaseSync(join(dataFolder, "ledger.db"))
        assert.throws(() => database.exec("UPDATE records SET confidence = 1"), /immutable/)
        assert.throws(() => database.exec("DELETE FROM records"), /immutable/)
        database.close()
      })
    )
  )
})

describe("the owner's routes", () => {
  it.live("answer 401 to a wrong key of any length and any bytes", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const right = ledger.adminKey
        const accents = Buffer.from("é".repeat(right.length), "utf8").toString("latin1")
        for (const key of ["", "x", "x".repeat(right.length), accents, `${right} x`, right.toUpperCase()]) {
          const { status } = yield* http.send(ledger.origin, { path: "/admin/faults", headers: { "x-admin-key": key } })
          assert.strictEqual(status, 401, key)
        }
        const { status } = yield* http.send(ledger.origin, { path: "/admin/faults", headers: { "x-admin-key": right } })
        assert.strictEqual(status, 200)
      })
    )
  )
})
