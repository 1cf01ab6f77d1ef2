/**
 * What can happen to a file: damage, a full disk, folders that are not there or cannot be written, other readers.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { type RunningLedger, startLedger } from "../../src/ledger-server/index.ts"
import { XaseClient, type XaseClientConfig, XaseError } from "../../src/promise.ts"
import { runCommand } from "../support/Command.ts"
import { temporaryFolder } from "../support/Engines.ts"

let ledger: RunningLedger
beforeAll(async () => {
  ledger = await startLedger({ rateLimit: "unlimited" })
})
afterAll(() => ledger.close())

const down = "http://127.0.0.1:9/api/xase/v1"

const open = (config: XaseClientConfig): { readonly client: XaseClient; readonly lines: Array<string> } => {
  const lines: Array<string> = []
  const client = new XaseClient({
    apiKey: ledger.apiKey,
    baseUrl: ledger.baseUrl,
    exitHandlers: false,
    shutdownTimeout: 50,
    logger: (line) => lines.push(line),
    ...config
  })
  return { client, lines }
}

const record = (client: XaseClient, n: number): Promise<unknown> =>
  client.record({
    policy: "credit_policy_v4",
    input: { n, text: "lorem ipsum ".repeat(30) },
    output: { approved: true }
  })

/** A file with so many records that nobody has delivered. */
const fill = async (path: string, count: number): Promise<void> => {
  const { client } = open({ outbox: `sqlite:${path}`, baseUrl: down })
  await Promise.all(Array.from({ length: count }, (_, n) => record(client, n)))
  await client.close()
  const database = new DatabaseSync(path)
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
  database.close()
}

const failure = async (promise: Promise<unknown>): Promise<XaseError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (cause: unknown) => cause
  )
  if (!(error instanceof XaseError)) throw new Error(`no XaseError: ${error}`)
  return error
}

const delivered = async (): Promise<number> => {
  const response = await fetch(`${ledger.baseUrl}/records?limit=1`, { headers: { "x-api-key": ledger.apiKey } })
  return (await response.json()).pagination.total
}

const eventually = async (check: () => Promise<boolean> | boolean): Promise<void> => {
  const end = performance.now() + 20_000
  while (!(await check())) {
    if (performance.now() > end) throw new Error("it did not come to pass")
    await sleep(25)
  }
}

describe("the files of an outbox", () => {
  it("are for their owner alone (R41)", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "outbox.db")
    const { client } = open({ outbox: `sqlite:${path}`, baseUrl: down })
    await record(client, 1)
    const files = readdirSync(folder.path)
    assert.includeMembers(files, ["outbox.db", "outbox.db-wal", "outbox.db.lock"])
    for (const file of files) assert.strictEqual(statSync(join(folder.path, file)).mode & 0o777, 0o600, file)
    await client.close()
  })

  it("have no API key in them (R32)", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "outbox.db")
    await fill(path, 3)
    assert.notInclude(readFileSync(path).toString("latin1"), ledger.apiKey)
  })

  it("give what was delivered back", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "outbox.db")
    const { client } = open({ outbox: `sqlite:${path}` })
    await record(client, 1)
    await client.flush(10_000)
    await client.close()
    const database = new DatabaseSync(path)
    assert.deepStrictEqual({ ...database.prepare("SELECT count(*) AS count FROM xase_outbox").get() }, { count: 0 })
    database.close()
  })
})

describe("a file that is damaged (R38)", () => {
  it("that is no database is put aside, and recording goes on", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "outbox.db")
    writeFileSync(path, "this was never a database, it only has its name ".repeat(100))
    const { client, lines } = open({ outbox: `sqlite:${path}` })
    await record(client, 1)
    await client.flush(10_000)
    assert.strictEqual(client.getStats().delivered, 1)
    await client.close()
    assert.match(lines.join("\n"), /is damaged .* put aside as .*damaged-.*, 0 records could be read/)
    assert.lengthOf(
      readdirSync(folder.path).filter((file) => /damaged-[^.]*$/.test(file)),
      1
    )
  })

  it("in the middle gives what can still be read", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "outbox.db")
    await fill(path, 400)
    const bytes = readFileSync(path)
    bytes.fill(0xff, 40 * 4_096, 44 * 4_096)
    writeFileSync(path, bytes)
    const before = await delivered()
    const { client, lines } = open({ outbox: `sqlite:${path}` })
    await eventually(() => /is damaged/.test(lines.join("\n")))
    const saved = Number(/, (\d+) records could be read/.exec(lines.join("\n"))?.[1])
    assert.isAbove(saved, 200)
    assert.isBelow(saved, 400)
    await eventually(async () => (await delivered()) - before === saved)
    await client.close()
  })

  it("is cut off anywhere: it opens, and nothing that was changed is delivered", async () => {
    using folder = temporaryFolder()
    const whole = join(folder.path, "whole.db")
    await fill(whole, 60)
    const bytes = readFileSync(whole)
    for (let part = 0; part <= 12; part++) {
      const path = join(folder.path, `cut-${part}.db`)
      writeFileSync(path, bytes)
      truncateSync(path, Math.floor((bytes.length * part) / 12) - (part % 3 === 1 ? 17 : 0) * (part === 0 ? 0 : 1))
      const before = await delivered()
      const { client } = open({ outbox: `sqlite:${path}` })
      await record(client, 1_000 + part)
      await client.flush(10_000)
      assert.isAtLeast(client.getStats().delivered, 1, `cut at ${part}`)
      await client.close()
      assert.isAtMost((await delivered()) - before, 61)
    }
  })

  it("has a flipped bit: the record is set aside or the file is put aside, and no altered body is sent", async () => {
    using folder = temporaryFolder()
    const whole = join(folder.path, "whole.db")
    await fill(whole, 20)
    const bytes = readFileSync(whole)
    const seen = new Set<string>()
    await using scripted = await (await import("../support/ScriptedLedger.ts")).start().then((started) => ({
      ...started,
      [Symbol.asyncDispose]: started.close
    }))
    for (let round = 0; round < 25; round++) {
      const path = join(folder.path, `flipped-${round}.db`)
      const copy = Buffer.from(bytes)
      const at = Math.floor((bytes.length * (round + 0.5)) / 25)
      copy[at] = (copy[at] ?? 0) ^ (1 << (round % 8))
      writeFileSync(path, copy)
      const { client } = open({ outbox: `sqlite:${path}`, baseUrl: scripted.baseUrl })
      await record(client, 1_000)
      await client.flush(10_000)
      await client.close()
    }
    for (const { input } of scripted.requests) {
      assert.strictEqual(input.text, "lorem ipsum ".repeat(30))
      seen.add(String(input.n))
    }
    assert.isAtLeast(seen.size, 20)
  })

  it("while it is open is noticed, and the next record is stored in a new one", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "outbox.db")
    const { client, lines } = open({ outbox: `sqlite:${path}`, baseUrl: down })
    await Promise.all(Array.from({ length: 300 }, (_, n) => record(client, n)))
    const database = new DatabaseSync(path)
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    const bytes = readFileSync(path)
    bytes.fill(0xff, 4_096)
    writeFileSync(path, bytes)
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => record(client, 1_000 + n)))
    const refused = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.code] : []))
    assert.isTrue(refused.every((code) => code === "OUTBOX_UNAVAILABLE"))
    await record(client, 2_000)
    assert.match(lines.join("\n"), /is damaged/)
    await client.close()
  })
})

describe("a place that cannot be written", () => {
  it("in a folder that does not exist is said by record, and nothing is taken", async () => {
    const { client } = open({ outbox: "sqlite:/no/such/folder/outbox.db" })
    const error = await failure(record(client, 1))
    assert.include(error, { code: "OUTBOX_UNAVAILABLE", evidence: "not recorded" })
    assert.include(error.message, "no such file or directory")
    assert.include(error.message, "Name a file in a folder that exists")
    assert.include(client.getStats(), { accepted: 0, pending: 0 })
    await client.close()
  })

  it("falls back to memory where the settings say so, with one warning", async () => {
    const { client, lines } = open({ outbox: { url: "sqlite:/no/such/folder/outbox.db", onUnavailable: "memory" } })
    await Promise.all(Array.from({ length: 20 }, (_, n) => record(client, n)))
    await client.flush(10_000)
    assert.include(client.getStats(), { accepted: 20, delivered: 20 })
    await client.close()
    assert.lengthOf(
      lines.filter((line) => line.includes("outbox is not available")),
      1
    )
  })

  it.skipIf(process.getuid?.() === 0)("in a read-only folder is said by record", async () => {
    using folder = temporaryFolder()
    const locked = join(folder.path, "locked")
    mkdirSync(locked)
    chmodSync(locked, 0o500)
    const { client } = open({ outbox: `sqlite:${join(locked, "outbox.db")}` })
    assert.strictEqual((await failure(record(client, 1))).code, "OUTBOX_UNAVAILABLE")
    await client.close()
  })

  it("comes back by itself", async () => {
    using folder = temporaryFolder()
    const later = join(folder.path, "later")
    const { client, lines } = open({ outbox: `sqlite:${join(later, "outbox.db")}` })
    await failure(record(client, 1))
    mkdirSync(later)
    await record(client, 2)
    await client.flush(10_000)
    assert.include(client.getStats(), { accepted: 1, delivered: 1 })
    await client.close()
    assert.match(lines.join("\n"), /available again/)
  })
})

describe("a disk that is full", () => {
  const host = fileURLToPath(new URL("../support/hosts/full-disk.ts", import.meta.url))

  /** A process that may write no file larger than so many kilobytes. */
  const withinKilobytes = async (kilobytes: number, path: string, onUnavailable: string) => {
    const command = `ulimit -f ${kilobytes}; exec "$0" "$@"`
    const child = spawn(
      "bash",
      ["-c", command, process.execPath, host, `sqlite:${path}`, onUnavailable, ledger.baseUrl, ledger.apiKey],
      { stdio: ["ignore", "pipe", "inherit"] }
    )
    let out = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text
    })
    const [code] = await once(child, "close")
    assert.strictEqual(code, 0)
    return JSON.parse(out)
  }

  it("refuses what it cannot store and keeps what it has", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "outbox.db")
    const { accepted, codes, refused } = await withinKilobytes(600, path, "fail")
    assert.isAbove(accepted, 10)
    assert.isAbove(refused, 0)
    assert.deepStrictEqual(codes, ["OUTBOX_UNAVAILABLE"])
    const before = await delivered()
    const { client } = open({ outbox: `sqlite:${path}` })
    await eventually(async () => (await delivered()) - before >= accepted)
    await client.close()
    assert.strictEqual((await delivered()) - before, accepted)
  })

  it("falls back to memory where the settings say so: every decision reaches the ledger", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "outbox.db")
    const before = await delivered()
    const { accepted, refused } = await withinKilobytes(600, path, "memory")
    assert.strictEqual(refused, 0)
    // What was stored waits for the next start, what was in memory has been delivered.
    const { client } = open({ outbox: `sqlite:${path}` })
    await eventually(async () => (await delivered()) - before >= accepted)
    await client.close()
    assert.strictEqual((await delivered()) - before, accepted)
  })
})

describe("xase outbox on a file", () => {
  it("that does not exist makes none", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "typo.db")
    const { code, err } = await runCommand(["outbox", "status", "--outbox", `sqlite:${path}`])
    assert.strictEqual(code, 2)
    assert.include(err, "there is no outbox at")
    assert.isFalse(existsSync(path))
  })

  it("whose record was altered says so and ends with 1", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "outbox.db")
    await fill(path, 3)
    const database = new DatabaseSync(path)
    database.exec(`UPDATE xase_outbox SET element = replace(element, 'true', 'null') WHERE sequence = 2`)
    database.close()
    const { code, out } = await runCommand(["outbox", "doctor", "--outbox", `sqlite:${path}`, "--json"])
    assert.strictEqual(code, 1)
    const { problems } = JSON.parse(out)
    assert.lengthOf(problems, 1)
    assert.include(problems[0], "another hash")
  })

  it("needs a durable outbox", async () => {
    const { code, err } = await runCommand(["outbox", "status"])
    assert.strictEqual(code, 2)
    assert.include(err, "XASE_OUTBOX")
  })
})

describe("a backlog of many records", () => {
  it("opens at once and is delivered", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "outbox.db")
    await fill(path, 1)
    const database = new DatabaseSync(path)
    database.exec(`
      WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)
      INSERT INTO xase_outbox (id, queue_name, element, state, attempts, visible_at, created_at, updated_at)
      SELECT 'copy-' || n, queue_name, element, state, 0, visible_at, created_at, updated_at
      FROM xase_outbox, numbers WHERE sequence = 1`)
    database.close()
    const { client } = open({ outbox: `sqlite:${path}` })
    await eventually(() => client.getStats().delivered > 0)
    await record(client, 1)
    assert.strictEqual(client.getStats().accepted, 1)
    await client.close()
  })
})
