/**
 * The `xase` command as a process: what it prints, where, and how it ends.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LedgerServer } from "../src/ledger-server/index.ts"

const command = fileURLToPath(new URL("../src/cli.ts", import.meta.url))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

const start = (args: ReadonlyArray<string>, environment: Readonly<Record<string, string>> = {}): ChildProcess => {
  const { XASE_API_KEY: _, XASE_BASE_URL: __, ...inherited } = process.env
  return spawn(process.execPath, [command, ...args], { env: { ...inherited, ...environment } })
}

const run = (
  args: ReadonlyArray<string>,
  { environment, input = "" }: { readonly environment?: Readonly<Record<string, string>>; readonly input?: string } = {}
): Effect.Effect<Ended> =>
  Effect.promise(async () => {
    const child = start(args, environment)
    let out = ""
    let err = ""
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      out += text
    })
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      err += text
    })
    child.stdin?.end(input)
    const [code] = await once(child, "close")
    return { code, out, err }
  })

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
        assert.include(tampered.out, `TAMPERED  ${first}`)
        assert.include(tampered.out, `VERIFIED  ${second}`)
        const missing = yield* run(["verify", "txn_nope"], publicOnly)
        assert.deepStrictEqual([missing.code, missing.out.trim()], [1, "NOT FOUND  txn_nope"])
      })
    )
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
        const child = start(["dev", "--port", "0", "--json", ...args])
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
