/**
 * What somebody with write access to the ledger's database can do, and how it is found out: by the client's journal, by a
 * record's own hashes, by an audit of the whole. Over real HTTP, on the ledger as it is and as weak as the public one.
 */
import { createHash } from "node:crypto"
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { assert, describe, it } from "@effect/vitest"
import type { Tampering } from "../src/ledger-server/faults/Tampering.ts"
import { type RunningLedger, startLedger } from "../src/ledger-server/index.ts"
import { type Problem, type RecordPayload, type RecordResult, XaseClient } from "../src/promise.ts"
import { runCommand } from "./support/Command.ts"

const count = 12

const decisionOf = (n: number): RecordPayload => ({
  policy: "credit_policy_v4",
  policyVersion: "4.1",
  decisionType: "UNDERWRITING",
  input: { n },
  output: { approved: n % 2 === 0 },
  confidence: n / 100,
  processingTime: 10 + n,
  storePayload: true
})

interface Scene extends AsyncDisposable {
  readonly ledger: RunningLedger
  readonly client: XaseClient
  readonly receipts: ReadonlyArray<RecordResult>
  readonly idOf: (n: number) => string
  readonly dataFolder: string
  readonly journal: string
  readonly folder: string
  /** The problems that an audit names. */
  readonly audit: (flags?: ReadonlyArray<string>) => Promise<ReadonlyArray<Problem>>
  readonly restart: () => Promise<void>
}

const setUp = async (compat: "embedded" | "public"): Promise<Scene> => {
  const folder = mkdtempSync(join(tmpdir(), "xase-attacks-"))
  const dataFolder = join(folder, "ledger")
  const journal = join(folder, "journal.db")
  const apiKey = `xase_pk_${"attacks_".repeat(4)}`
  let ledger = await startLedger({ dataFolder, compat, apiKey, rateLimit: "unlimited" })
  const receipts: Array<RecordResult> = []
  const connect = () =>
    new XaseClient({
      apiKey,
      baseUrl: ledger.baseUrl,
      journal,
      exitHandlers: false,
      onSuccess: (receipt) => receipts.push(receipt)
    })
  let client = connect()
  for (let n = 0; n < count; n++) await client.record(decisionOf(n))
  await client.flush(10_000)
  return {
    get ledger() {
      return ledger
    },
    get client() {
      return client
    },
    receipts,
    idOf: (n) => receipts[n]?.transaction_id ?? "",
    dataFolder,
    journal,
    folder,
    audit: async (flags = ["--journal", journal]) => {
      const out = join(folder, "audit")
      const { err } = await runCommand(["audit", "--out", out, "--restart", ...flags], {
        XASE_API_KEY: apiKey,
        XASE_BASE_URL: ledger.baseUrl
      })
      try {
        return JSON.parse(readFileSync(join(out, "audit-report.json"), "utf8")).problems
      } catch {
        throw new Error(err)
      }
    },
    restart: async () => {
      await client.close()
      await ledger.close()
      ledger = await startLedger({ dataFolder, compat, apiKey, rateLimit: "unlimited" })
      client = connect()
    },
    [Symbol.asyncDispose]: async () => {
      await client.close()
      await ledger.close()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** Where problems are, as `reason path record`. */
const named = (problems: ReadonlyArray<Problem>): ReadonlyArray<string> =>
  problems.map(({ path, reason, transactionId }) => `${reason} ${path} ${transactionId ?? ""}`.trim())

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

/** Mends the ledger's own chain after a change, as somebody who knows its mathematics would. */
const rechain = (dataFolder: string, change: (database: DatabaseSync) => void): void => {
  const database = new DatabaseSync(join(dataFolder, "ledger.db"))
  for (const name of ["records_no_update", "records_no_delete"]) database.exec(`DROP TRIGGER ${name}`)
  change(database)
  let previous: string | null = null
  let position = 0
  for (const row of database.prepare("SELECT * FROM records ORDER BY position").all()) {
    const hash: string = sha256(`${previous ?? ""}${row.input_hash}${row.output_hash}${row.context_hash ?? ""}`)
    position++
    database
      .prepare("UPDATE records SET previous_hash = ?, record_hash = ?, position = ? WHERE transaction_id = ?")
      .run(previous, hash, position, String(row.transaction_id))
    previous = hash
  }
  database.close()
}

describe.each(["embedded", "public"] as const)("behind the back of a ledger (%s)", (compat) => {
  it("an untouched ledger is valid, record by record and as a whole", async () => {
    await using scene = await setUp(compat)
    for (const { transaction_id } of scene.receipts) {
      const { sentence, verdict } = await scene.client.verify(transaction_id)
      assert.strictEqual(verdict, "valid", sentence)
    }
    assert.deepStrictEqual(await scene.audit(), [])
  })

  const edits: ReadonlyArray<readonly [Extract<Tampering, { type: "edit" }>["field"], string | number | null, string]> =
    [
      ["confidence", 0.99, "differs confidence"],
      ["confidence", null, "differs confidence"],
      ["policyId", "credit_policy_v5", "differs policyId"],
      ["policyVersion", "9", "differs policyVersion"],
      ["decisionType", "FRAUD", "differs decisionType"],
      ["processingTime", 1, "differs processingTime"],
      ["timestamp", 1, "differs timestamp"],
      ["previousHash", "0".repeat(64), "record hash record_hash"],
      ["recordHash", "0".repeat(64), "differs record_hash"]
    ]
  it.each(edits)("%s edited to %s is named: %s", async (field, value, expected) => {
    await using scene = await setUp(compat)
    const transactionId = scene.idOf(5)
    await scene.ledger.tamper({ type: "edit", transactionId, field, value })
    const { problems, verdict } = await scene.client.verify(transactionId)
    assert.strictEqual(verdict, "invalid")
    assert.include(named(problems), `${expected} ${transactionId}`)
    assert.include(named(await scene.audit()), `${expected} ${transactionId}`)
  })

  it.each(["input", "output", "context"] as const)("an edited %s is named in the proof bundle", async (part) => {
    await using scene = await setUp(compat)
    const transactionId = scene.idOf(5)
    await scene.ledger.tamper({ type: "edit", transactionId, field: `${part}Payload`, value: '{"other":1}' })
    assert.include(
      named(await scene.audit(["--journal", scene.journal, "--payloads"])),
      `differs ${part} ${transactionId}`
    )
  })

  it.each(["input", "output", "context"] as const)("an edited hash of the %s is named", async (part) => {
    await using scene = await setUp(compat)
    const transactionId = scene.idOf(5)
    await scene.ledger.tamper({ type: "edit", transactionId, field: `${part}Hash`, value: `sha256:${"0".repeat(64)}` })
    assert.include(
      named(await scene.audit(["--journal", scene.journal, "--payloads"])),
      `differs ${part} ${transactionId}`
    )
  })

  it("a deleted record is named, and the link that is broken", async () => {
    await using scene = await setUp(compat)
    await scene.ledger.tamper({ type: "delete", transactionId: scene.idOf(5) })
    const problems = named(await scene.audit())
    assert.include(problems, `removed  ${scene.idOf(5)}`)
    assert.include(problems, `predecessor chain.previous_hash ${scene.idOf(6)}`)
    assert.include(problems, `gap commitment.previousHash ${scene.idOf(6)}`)
    assert.strictEqual((await scene.client.verify(scene.idOf(5))).problems[0]?.reason, "removed")
    assert.strictEqual((await scene.client.verify(scene.idOf(6))).problems[0]?.reason, "predecessor")
  })

  it("an inserted record is not made of anything that was sent", async () => {
    await using scene = await setUp(compat)
    const [forged] = await scene.ledger.tamper({ type: "insert", transactionId: scene.idOf(5) })
    const { verdict } = await scene.client.verify(forged ?? "")
    assert.notStrictEqual(verdict, "valid")
    const problems = named(await scene.audit(["--journal", scene.journal, "--payloads"]))
    assert.include(problems, `record hash hashes.record_hash ${forged}`)
    assert.isTrue(
      problems.some((problem) => problem.startsWith("replayed commitment")),
      problems.join("\n")
    )
  })

  it("a fork is named with both of its ends", async () => {
    await using scene = await setUp(compat)
    const [forged] = await scene.ledger.tamper({ type: "fork", transactionId: scene.idOf(count - 1) })
    const problems = await scene.audit()
    const fork = problems.find(({ reason }) => reason === "fork")
    assert.include(fork?.message ?? "", forged ?? "?")
    assert.include(fork?.message ?? "", scene.idOf(count - 1))
  })

  it("swapped records are named", async () => {
    await using scene = await setUp(compat)
    await scene.ledger.tamper({ type: "reorder", transactionId: scene.idOf(3), with: scene.idOf(8) })
    const places = (await scene.audit())
      .filter(({ reason }) => reason === "order")
      .map(({ transactionId }) => transactionId)
    assert.include(places, scene.idOf(3))
    assert.include(places, scene.idOf(8))
  })

  it("a truncated ledger lacks the head that was seen, and every record that is gone is named", async () => {
    await using scene = await setUp(compat)
    await scene.ledger.tamper({ type: "truncate", transactionId: scene.idOf(9) })
    const problems = named(await scene.audit())
    assert.include(problems, `rolled back record_hash ${scene.idOf(count - 1)}`)
    for (const n of [9, 10, 11]) assert.include(problems, `removed  ${scene.idOf(n)}`)
  })

  it("a ledger that is set back to an old database is noticed by its next receipt", async () => {
    await using scene = await setUp(compat)
    await scene.ledger.close()
    const kept = join(scene.folder, "kept")
    cpSync(scene.dataFolder, kept, { recursive: true })
    await scene.restart()
    for (let n = count; n < count + 3; n++) await scene.client.record(decisionOf(n), { skipQueue: true })
    await scene.ledger.close()
    rmSync(scene.dataFolder, { recursive: true })
    cpSync(kept, scene.dataFolder, { recursive: true })
    await scene.restart()
    const { transaction_id } = await scene.client.record(decisionOf(99), { skipQueue: true })
    const journal = new DatabaseSync(scene.journal)
    const entry = journal.prepare("SELECT continuity FROM entries WHERE transaction_id = ?").get(transaction_id)
    journal.close()
    assert.strictEqual(entry?.continuity, "set back")
    const problems = named(await scene.audit())
    assert.strictEqual(problems.filter((problem) => problem.startsWith("removed")).length, 3)
  })

  it("the receipt of another record is refused", async () => {
    await using scene = await setUp(compat)
    const { problems, verdict } = await scene.client.verify(scene.idOf(4), decisionOf(5))
    assert.strictEqual(verdict, "invalid")
    assert.includeMembers(
      problems.map(({ path }) => path),
      ["input", "output", "confidence", "processingTime"]
    )
    assert.strictEqual((await scene.client.verify(scene.idOf(5), decisionOf(5))).verdict, "valid")
  })

  it("a deletion with the whole chain mended is still found", async () => {
    await using scene = await setUp(compat)
    await scene.ledger.close()
    rechain(scene.dataFolder, (database) =>
      database.prepare("DELETE FROM records WHERE transaction_id = ?").run(scene.idOf(5))
    )
    await scene.restart()
    const problems = named(await scene.audit())
    assert.include(problems, `removed  ${scene.idOf(5)}`)
    assert.include(problems, `gap commitment.previousHash ${scene.idOf(6)}`)
    assert.include(problems, `rolled back record_hash ${scene.idOf(count - 1)}`)
  })

  it("an edit with the whole chain mended is still found, without a journal too", async () => {
    await using scene = await setUp(compat)
    await scene.ledger.close()
    rechain(scene.dataFolder, (database) => {
      const input = '{"n":500}'
      database
        .prepare("UPDATE records SET input_payload = ?, input_hash = ? WHERE transaction_id = ?")
        .run(input, `sha256:${sha256(input)}`, scene.idOf(5))
    })
    await scene.restart()
    const { problems } = await scene.client.verify(scene.idOf(5))
    assert.include(named(problems), `record hash record_hash ${scene.idOf(5)}`)
    const alone = await scene.audit(["--payloads"])
    assert.include(named(alone), `commitment context.xase_evidence.commitment.decisionHash ${scene.idOf(5)}`)
  })
})
