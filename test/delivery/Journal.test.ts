import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { startLedger } from "../../src/ledger-server/index.ts"
import { type RecordPayload, XaseClient, type XaseClientConfig } from "../../src/promise.ts"
import { open } from "../../src/sql/Sqlite.ts"

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "xase-journal-"))
  path = join(folder, "journal.db")
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const decision: RecordPayload = { policy: "p", input: { n: 1 }, output: {}, confidence: 0.5 }

const connect = (ledger: { apiKey: string; baseUrl: string }, over: XaseClientConfig = {}) =>
  new XaseClient({ apiKey: ledger.apiKey, baseUrl: ledger.baseUrl, exitHandlers: false, journal: path, ...over })

const entries = () => {
  const { database, sqlite } = open(path)
  const rows = sqlite.all("SELECT * FROM entries ORDER BY id")
  database.close()
  return rows
}

describe("a journal", () => {
  it("holds the receipt and the hashes of each record, and never a payload", async () => {
    await using ledger = await startLedger({ rateLimit: "unlimited" })
    const canary = "canary-7f3a"
    {
      await using client = connect(ledger)
      const secret = { policy: "p", input: { [canary]: 1 }, output: { a: canary }, context: { b: canary } }
      await client.record({ ...secret, explanation: { c: canary } })
      await client.flush(10_000)
      const [row] = entries()
      assert.match(String(row?.transaction_id), /^txn_/)
      assert.match(String(row?.input_hash), /^sha256:/)
      assert.strictEqual(row?.continuity, "first")
      for (const file of readdirSync(folder)) {
        assert.notInclude(readFileSync(join(folder, file), "latin1"), canary, file)
        assert.strictEqual(statSync(join(folder, file)).mode & 0o777, 0o600, file)
      }
    }
  })

  it("lets the producer go on after a restart, numbers and hashes alike", async () => {
    await using ledger = await startLedger({ rateLimit: "unlimited" })
    for (let start = 0; start < 3; start++) {
      await using client = connect(ledger)
      for (let n = 0; n < 3; n++) await client.record(decision)
      await client.flush(10_000)
    }
    const rows = entries()
    assert.strictEqual(new Set(rows.map((row) => row.producer)).size, 1)
    assert.deepStrictEqual(
      rows.map((row) => row.sequence),
      [1, 2, 3, 4, 5, 6, 7, 8, 9]
    )
    for (const [index, row] of rows.entries()) {
      assert.strictEqual(row.previous_commitment, rows[index - 1]?.commitment_hash ?? null)
      assert.strictEqual(row.continuity, index === 0 ? "first" : "continues")
    }
  })

  it("gives a second client at the same time a producer of its own, and the first one back to a later start", async () => {
    await using ledger = await startLedger({ rateLimit: "unlimited" })
    {
      await using one = connect(ledger)
      await using two = connect(ledger)
      await one.record(decision, { skipQueue: true })
      await two.record(decision, { skipQueue: true })
    }
    {
      await using three = connect(ledger)
      await three.record(decision, { skipQueue: true })
    }
    const [one, two, three] = entries().map((row) => row.producer)
    assert.notStrictEqual(one, two)
    assert.strictEqual(three, one)
  })

  it("does not continue a number that was accepted and never sent", async () => {
    await using ledger = await startLedger({
      rateLimit: "unlimited",
      faults: { always: { type: "status", status: 503 } }
    })
    {
      await using client = connect(ledger, { shutdownTimeout: 50 })
      for (let n = 0; n < 5; n++) await client.record(decision)
    }
    await ledger.setFaults({})
    {
      await using client = connect(ledger)
      await client.record(decision, { skipQueue: true })
    }
    assert.strictEqual(entries().at(-1)?.sequence, 6)
  })

  it("keeps the entry of a record that the ledger answers with once more", async () => {
    await using ledger = await startLedger({ rateLimit: "unlimited", compat: "public" })
    const once = { ...decision, transactionId: "loan-1" }
    let id: string
    {
      await using client = connect(ledger)
      id = (await client.record(once, { skipQueue: true })).transaction_id
    }
    await using client = connect(ledger)
    assert.strictEqual((await client.record(once, { skipQueue: true })).transaction_id, id)
    assert.strictEqual((await client.verify(id)).verdict, "valid")
    assert.deepStrictEqual(
      entries().map((row) => row.replayed),
      [0, 1]
    )
  })

  it("in memory lasts as long as its client", async () => {
    await using ledger = await startLedger({ rateLimit: "unlimited" })
    await using client = connect(ledger, { journal: ":memory:" })
    const { transaction_id } = await client.record(decision, { skipQueue: true })
    assert.strictEqual((await client.verify(transaction_id)).verdict, "valid")
    assert.isFalse(existsSync(path))
  })

  it("that can no longer be written is said once, and delivery goes on", async () => {
    await using ledger = await startLedger({ rateLimit: "unlimited" })
    const lines: Array<string> = []
    await using client = connect(ledger, { logger: (line) => lines.push(line) })
    await client.record(decision, { skipQueue: true })
    const { database } = open(path)
    database.exec("DROP TABLE entries")
    database.close()
    for (let n = 0; n < 3; n++) await client.record(decision, { skipQueue: true })
    assert.strictEqual(lines.filter((line) => line.includes("the journal cannot be written")).length, 1)
    assert.strictEqual(client.getStats().delivered, 4)
  })

  it.each([
    ["a folder that is not there", () => join(folder, "none", "journal.db")],
    ["a folder", () => folder],
    [
      "a file that is no database",
      () => {
        writeFileSync(path, "not a database, not at all ".repeat(100))
        return path
      }
    ]
  ])("is refused with the reason: %s", (_, journal) => {
    const options = { apiKey: `xase_pk_${"a".repeat(24)}`, exitHandlers: false, journal: journal() }
    assert.throws(() => new XaseClient(options), /Setting journal is .*(cannot be opened|no journal)/)
  })
})
