import { spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LedgerServer } from "../src/ledger-server/index.ts"
import { verifyReport } from "../src/verify.ts"
import { type Ended, runCommand, startCommand } from "./support/Command.ts"

const auditor = fileURLToPath(new URL("../examples/auditor/verify.py", import.meta.url))

const run = (
  args: ReadonlyArray<string>,
  { environment, input = "" }: { readonly environment?: Readonly<Record<string, string>>; readonly input?: string } = {}
): Effect.Effect<Ended> => Effect.promise(() => runCommand(args, environment, input))

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "xase-cli-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const withLedger = <A, E, R>(
  use: (environment: Readonly<Record<string, string>>, ledger: LedgerServer["Service"]) => Effect.Effect<A, E, R>
) =>
  LedgerServer.use((ledger) => use({ XASE_API_KEY: ledger.apiKey, XASE_BASE_URL: ledger.baseUrl }, ledger)).pipe(
    Effect.provide(LedgerServer.layer({ rateLimit: "unlimited" }))
  )

const decision = (n: number): string => JSON.stringify({ policy: "p", input: { n }, output: {}, confidence: 0.5 })

describe("xase record", () => {
  it.live("records JSON lines, names the line and field of a malformed one, and records the rest", () =>
    withLedger((environment) =>
      Effect.gen(function* () {
        const lines = [decision(1), '{"policy":"p","input":[],"output":{}}', "{bad", "", decision(2)].join("\n")
        const ended = yield* run(["record"], { environment, input: lines })
        assert.strictEqual(ended.code, 2)
        assert.include(ended.err, "line 2: input: must be an object")
        assert.include(ended.err, "line 3: is not JSON")
        assert.include(ended.out, "2 recorded, 2 malformed")
        const listed = JSON.parse((yield* run(["list", "--json"], { environment })).out)
        assert.strictEqual(listed.pagination.total, 2)
      })
    )
  )

  it.live("with --strict records nothing of it", () =>
    withLedger((environment) =>
      Effect.gen(function* () {
        const path = join(yield* folder, "decisions.jsonl")
        writeFileSync(path, `${decision(1)}\n{"policy":"","input":{},"output":{}}\n`)
        const ended = yield* run(["record", path, "--strict"], { environment })
        assert.strictEqual(ended.code, 2)
        assert.include(ended.err, "line 2: policy")
        assert.include(ended.err, "nothing was recorded")
        assert.strictEqual(JSON.parse((yield* run(["stats", "--json"], { environment })).out).total, 0)
      })
    )
  )

  it.live("records one decision from flags and tells the receipt to machines", () =>
    withLedger((environment) =>
      Effect.gen(function* () {
        const ended = yield* run(
          ["record", "--json", "--policy", "p", "--input", '{"a":1}', "--output", "{}", "--confidence", "0.25"],
          { environment }
        )
        assert.strictEqual(ended.code, 0)
        const [recorded, summary] = ended.out
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line))
        assert.match(recorded.recorded, /^txn_/)
        assert.deepStrictEqual(summary, { accepted: 1, delivered: 1, failed: 0, malformed: 0 })
      })
    )
  )

  it.live("the same decision twice in a file is one record", () =>
    withLedger((environment) =>
      Effect.gen(function* () {
        const line = JSON.stringify({ policy: "p", input: {}, output: {}, transactionId: "loan_1" })
        const ended = yield* run(["record"], { environment, input: `${line}\n${line}\n` })
        assert.strictEqual(ended.code, 0)
        assert.strictEqual(JSON.parse((yield* run(["stats", "--json"], { environment })).out).total, 1)
      })
    )
  )

  it.live("a file that is not there ends in one line and exit code 2", () =>
    withLedger((environment) =>
      Effect.gen(function* () {
        const ended = yield* run(["record", "/nowhere/decisions.jsonl"], { environment })
        assert.strictEqual(ended.code, 2)
        assert.strictEqual(ended.err.trim().split("\n").length, 1)
        assert.include(ended.err, "/nowhere/decisions.jsonl cannot be read")
      })
    )
  )
})

describe("xase list, show, verify, stats", () => {
  it.live("show what the ledger holds, and data cannot move the terminal's cursor", () =>
    withLedger((environment) =>
      Effect.gen(function* () {
        const policy = "credit\u001b[2J\u202e"
        yield* run(["record"], {
          environment,
          input: JSON.stringify({ policy, input: {}, output: {}, confidence: 0.5 })
        })
        const listed = yield* run(["list"], { environment })
        assert.include(listed.out, "credit\\u001b[2J\\u202e")
        assert.include(listed.out, "page 1 of 1, 1 records")
        const stats = yield* run(["stats"], { environment })
        assert.include(stats.out, "0.500")
        for (const { out } of [listed, stats]) assert.notMatch(out, /\u001b\[2J|\u202e/)
        const [{ transactionId }] = JSON.parse((yield* run(["list", "--json"], { environment })).out).records
        const shown = yield* run(["show", transactionId], {
          environment: { XASE_BASE_URL: environment.XASE_BASE_URL ?? "" }
        })
        assert.include(shown.out, "VERIFIED")
        assert.include(shown.out, "none: the first record")
      })
    )
  )

  it.live("verify ends with 1 for a tampered record and for one that is not there, without a key", () =>
    withLedger((environment, ledger) =>
      Effect.gen(function* () {
        yield* run(["record"], { environment, input: `${decision(1)}\n${decision(2)}\n` })
        const { records } = JSON.parse((yield* run(["list", "--json"], { environment })).out)
        const [second, first] = records.map((record: { transactionId: string }) => record.transactionId)
        const publicOnly = { environment: { XASE_BASE_URL: ledger.baseUrl } }
        assert.strictEqual((yield* run(["verify", first, second], publicOnly)).code, 0)
        yield* Effect.orDie(ledger.tamper({ type: "edit", transactionId: first, field: "confidence", value: 0.9 }))
        const tampered = yield* run(["verify", first, second], publicOnly)
        assert.strictEqual(tampered.code, 1)
        assert.include(tampered.out, `INVALID  ${first}`)
        assert.include(tampered.out, `NOT PROVEN  ${second}`)
        const missing = yield* run(["verify", "txn_nope"], publicOnly)
        assert.strictEqual(missing.code, 1)
        assert.include(missing.out, "INVALID  txn_nope")
        assert.include(missing.out, "the ledger has no such record")
      })
    )
  )
})

describe("xase verify, audit and bundle, with a journal", () => {
  const recorded = (environment: Readonly<Record<string, string>>, journal: string, from = 0, to = 5) =>
    Effect.gen(function* () {
      const lines = Array.from({ length: to - from }, (_, n) => {
        const payload = { policy: "p", input: { n: from + n }, output: {}, confidence: 0.5, storePayload: true }
        return JSON.stringify(payload)
      })
      const { code, err } = yield* run(["record", "--journal", journal], { environment, input: lines.join("\n") })
      assert.strictEqual(code, 0, err)
      const { records } = JSON.parse((yield* run(["list", "--json"], { environment })).out)
      return records.map((record: { transactionId: string }) => record.transactionId).reverse() as ReadonlyArray<string>
    })

  it.live("verify names what is proven, and the field that was altered", () =>
    withLedger((environment, ledger) =>
      Effect.gen(function* () {
        const journal = join(yield* folder, "journal.db")
        const [first = "", second = ""] = yield* recorded(environment, journal)
        const whole = yield* run(["verify", first, "--journal", journal], { environment })
        assert.strictEqual(whole.code, 0)
        assert.include(whole.out, `VALID  ${first}`)
        assert.include(whole.out, "the record hash, computed here, is made of what was sent")
        yield* Effect.orDie(ledger.tamper({ type: "edit", transactionId: second, field: "confidence", value: 0.9 }))
        const altered = yield* run(["verify", second, "--journal", journal], { environment })
        assert.strictEqual(altered.code, 1)
        assert.include(altered.out, "confidence is 0.9 in the ledger, but 0.5 was recorded")
      })
    )
  )

  it.live("audit writes a report that verifies itself, and ends with 1 when a record was altered", () =>
    withLedger((environment, ledger) =>
      Effect.gen(function* () {
        const home = yield* folder
        const journal = join(home, "journal.db")
        const ids = yield* recorded(environment, journal, 0, 120)
        const out = join(home, "out")
        const args = ["audit", "--journal", journal, "--out", out]
        const whole = yield* run(args, { environment })
        assert.strictEqual(whole.code, 0, whole.out + whole.err)
        assert.include(whole.out, "120 valid")
        const report = JSON.parse(readFileSync(join(out, "audit-report.json"), "utf8"))
        assert.strictEqual(verifyReport(report).verdict, "valid")
        assert.strictEqual(report.records.length, 120)
        const page = readFileSync(join(out, "audit-report.html"), "utf8")
        assert.include(page, "All 120 records are proven")
        assert.notMatch(page, /https?:\/\/(?!127\.0\.0\.1)/, "the page asks nobody")
        const transactionId = ids[10] ?? ""
        yield* Effect.orDie(ledger.tamper({ type: "edit", transactionId, field: "confidence", value: 0.9 }))
        const altered = yield* run([...args, "--json"], { environment })
        assert.strictEqual(altered.code, 1)
        const [problem] = JSON.parse(altered.out).problems
        assert.deepInclude(problem, { reason: "differs", path: "confidence", transactionId })
      })
    )
  )

  it.live("an audit that is interrupted goes on where it was", () =>
    withLedger((environment, ledger) =>
      Effect.gen(function* () {
        const home = yield* folder
        const journal = join(home, "journal.db")
        yield* recorded(environment, journal, 0, 250)
        const args = ["audit", "--journal", journal, "--out", join(home, "out"), "--concurrency", "1"]
        yield* Effect.orDie(ledger.setFaults({ latency: 10, on: "all" }))
        const child = startCommand(args, environment)
        const state = join(home, "out", "audit-state.db")
        const walked = () => {
          const database = new DatabaseSync(state)
          const { records } = { ...database.prepare("SELECT count(*) AS records FROM records").get() }
          database.close()
          return Number(records)
        }
        let before = 0
        while (before === 0) {
          yield* Effect.sleep(50)
          before = yield* Effect.sync(walked).pipe(Effect.catchCause(() => Effect.succeed(0)))
        }
        child.kill("SIGKILL")
        yield* Effect.promise(() => once(child, "close"))
        assert.isBelow(walked(), 250, "it was interrupted on its way")
        yield* Effect.orDie(ledger.setFaults({}))
        // What comes in meanwhile pushes the records to later pages, and is left to the next audit.
        yield* recorded(environment, journal, 250, 255)
        const { code, err, out } = yield* run([...args, "--json"], { environment })
        assert.strictEqual(code, 0, err + out)
        const { counts, problems } = JSON.parse(out)
        assert.deepStrictEqual(problems, [])
        assert.strictEqual(counts.valid, 250)
      })
    )
  )

  it.live("bundles are exported and verified offline; the payload, the key and a change are told apart", () =>
    withLedger((environment, ledger) =>
      Effect.gen(function* () {
        const home = yield* folder
        const journal = join(home, "journal.db")
        const [id = ""] = yield* recorded(environment, journal)
        const exported = yield* run(["bundle", "export", id, "--out", home], { environment })
        const file = exported.out.trim()
        assert.strictEqual(file, join(home, `evidence_${id}.zip`))
        const { keys } = yield* Effect.promise(async () => (await fetch(`${ledger.baseUrl}/public-keys`)).json())
        const trust = join(home, "trust.json")
        const policy = { version: 1, keys: [], ledgerKeys: [keys[0].public_key_pem] }
        writeFileSync(trust, JSON.stringify(policy))
        const offline = { environment: { XASE_BASE_URL: "http://127.0.0.1:1/api/xase/v1" } }
        const whole = yield* run(["bundle", "verify", file, "--trust", trust], offline)
        assert.strictEqual(whole.code, 0, whole.err)
        assert.include(whole.out, "VALID  ")
        assert.include((yield* run(["bundle", "verify", file], offline)).out, "NOT PROVEN")
        const python = spawnSync("python3", [auditor, "bundle", file, "--trust", trust], { encoding: "utf8" })
        assert.match(python.stdout, /^VALID /)
        const bytes = readFileSync(file)
        bytes[bytes.length - 40] = (bytes[bytes.length - 40] ?? 0) ^ 1
        writeFileSync(file, bytes)
        assert.notStrictEqual((yield* run(["bundle", "verify", file, "--trust", trust], offline)).code, 0)
        writeFileSync(trust, '{"version":1,"keys":[{}],"extra":1}')
        const wrong = yield* run(["bundle", "verify", file, "--trust", trust], offline)
        assert.strictEqual(wrong.code, 2)
        assert.include(wrong.err, "keys.0.keyId: must be text")
        assert.include(wrong.err, "extra: is not known")
      })
    )
  )

  it.live("a journal that is not there is a usage error, and is not made", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "nothing.db")
      const { code, err } = yield* run(["verify", "txn_1", "--journal", path])
      assert.strictEqual(code, 2)
      assert.include(err, "journal")
      assert.isFalse(existsSync(path))
    })
  )
})

describe("exit code 2 and one line", () => {
  const cases: ReadonlyArray<readonly [name: string, args: ReadonlyArray<string>, says: string]> = [
    ["no key", ["list"], "XASE_API_KEY"],
    ["a key that is none", ["list", "--api-key", "short"], "does not look like an API key"],
    ["nobody there", ["verify", "txn_1", "--url", "http://127.0.0.1:1/api/xase/v1"], "ECONNREFUSED"],
    ["http:// to somewhere else", ["verify", "txn_1", "--url", "http://example.com/api"], "travel in clear"],
    ["a bad rate limit", ["dev", "--port", "0", "--rate-limit", "many"], "--rate-limit"],
    ["bad faults", ["dev", "--port", "0", "--faults", "{"], "--faults"],
    ["a bad permission", ["keys", "create", "--permissions", "root"], "--permissions"]
  ]
  it.live.each(cases)("%s", ([_, args, says]) =>
    Effect.gen(function* () {
      const ended = yield* run(args)
      assert.strictEqual(ended.code, 2, ended.err)
      assert.include(ended.err, says)
      assert.strictEqual(ended.err.trim().split("\n").length, 1, ended.err)
      assert.strictEqual(ended.out, "")
    })
  )

  it.live("an unknown command prints the help and ends with 2; --help with 0", () =>
    Effect.gen(function* () {
      const unknown = yield* run(["bogus"])
      assert.strictEqual(unknown.code, 2)
      assert.include(unknown.err, "bogus")
      const help = yield* run(["record", "--help"])
      assert.strictEqual(help.code, 0)
      assert.include(help.out, "xase record decisions.jsonl --strict")
      const completions = yield* run(["--completions", "bash"])
      assert.strictEqual(completions.code, 0)
      assert.include(completions.out, "xase")
    })
  )
})

describe("xase dev", () => {
  const started = (args: ReadonlyArray<string>) =>
    Effect.acquireRelease(
      Effect.promise(async () => {
        const child = startCommand(["dev", "--port", "0", "--json", ...args])
        const [line] = await once(child.stdout?.setEncoding("utf8") ?? child, "data")
        return { child, ledger: JSON.parse(line) }
      }),
      ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
    )

  it.live("runs a ledger until Ctrl-C; its data folder keeps records and keys", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "ledger")
      const made = JSON.parse((yield* run(["keys", "create", "--data", data, "--json", "--name", "mine"])).out)
      const { child, ledger } = yield* started(["--data", data])
      const environment = { XASE_API_KEY: made.apiKey, XASE_BASE_URL: ledger.baseUrl }
      assert.strictEqual((yield* run(["record"], { environment, input: decision(1) })).code, 0)
      const taken = yield* run(["dev", "--port", new URL(ledger.baseUrl).port])
      assert.strictEqual(taken.code, 2)
      assert.include(taken.err, "is in use")
      const listed = yield* run(["keys", "list", "--data", data])
      assert.include(listed.out, "mine")
      assert.notInclude(listed.out, made.apiKey)
      assert.strictEqual((yield* run(["keys", "revoke", made.id, "--data", data])).code, 0)
      assert.strictEqual((yield* run(["keys", "revoke", made.id, "--data", data])).code, 2)
      yield* Effect.sleep(1_100)
      const refused = yield* run(["list"], { environment })
      assert.strictEqual(refused.code, 2)
      assert.include(refused.err, "refused the API key")
      const exit = once(child, "exit")
      child.kill("SIGINT")
      const [code] = yield* Effect.promise(() => exit)
      assert.strictEqual(code, 130)
    })
  )

  it.live("a data folder that cannot be used and a damaged database end in one line and exit code 2", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const file = join(path, "file")
      writeFileSync(file, "not a folder")
      const unusable = yield* run(["dev", "--port", "0", "--data", file])
      assert.deepStrictEqual([unusable.code, unusable.err.trim().split("\n").length], [2, 1])
      assert.include(unusable.err, "data folder")
      writeFileSync(join(path, "ledger.db"), "this is no database, however long it is".repeat(100))
      const damaged = yield* run(["dev", "--port", "0", "--data", path])
      assert.deepStrictEqual([damaged.code, damaged.err.trim().split("\n").length], [2, 1])
      assert.include(damaged.err, "database")
    })
  )
})
