import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LedgerServer } from "../../src/ledger-server/index.ts"
import { apiKey } from "../support/Faces.ts"
import * as ScriptedLedger from "../support/ScriptedLedger.ts"
import { answer, receipt } from "../support/ScriptedLedger.ts"

const fileOf = (name: string): string => fileURLToPath(new URL(`../support/hosts/${name}.ts`, import.meta.url))

interface Host {
  readonly kill: (signal: NodeJS.Signals) => void
  readonly lines: ReadonlyArray<string>
  readonly said: (line: string) => Effect.Effect<void>
  /** Waits for the end; the test's own timeout is the only limit. */
  readonly ended: Effect.Effect<{
    readonly code: number | null
    readonly signal: string | null
    readonly stderr: string
  }>
}

/** Starts a host as a process of its own, killed for good when the test ends. */
const host = (scenario: string, baseUrl: string, flags: ReadonlyArray<string> = [], key = apiKey) =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [...flags, fileOf(scenario === "effect" ? "effect-host" : "host"), scenario], {
          env: { ...process.env, XASE_API_KEY: key, XASE_BASE_URL: baseUrl, XASE_SHUTDOWN_TIMEOUT: "20 seconds" },
          stdio: ["ignore", "pipe", "pipe"]
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const exit = once(child, "close")
    const lines: Array<string> = []
    let stderr = ""
    child.stdout
      .setEncoding("utf8")
      .on("data", (text: string) => lines.push(...text.split("\n").filter((line) => line !== "")))
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    const said = (line: string): Effect.Effect<void> =>
      Effect.suspend(() => (lines.includes(line) ? Effect.void : Effect.andThen(Effect.sleep(5), said(line))))
    const running: Host = {
      kill: (signal) => void child.kill(signal),
      lines,
      said,
      ended: Effect.map(
        Effect.promise(() => exit),
        ([code, signal]) => ({ code, signal, stderr })
      )
    }
    return running
  })

const keysDelivered = (ledger: ScriptedLedger.ScriptedLedger): number => ledger.committed.size

describe("the end of the host process", () => {
  it.live("an idle client lets it end, though the ledger keeps the connection open (R4)", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped()
      const idle = yield* host("idle", ledger.baseUrl)
      assert.deepStrictEqual(yield* idle.ended, { code: 0, signal: null, stderr: "" })
      assert.deepStrictEqual(idle.lines, ["flushed"])
    })
  )

  it.live("a client that was never used lets it end and sends nothing (R4, R11)", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped()
      const unused = yield* host("never used", ledger.baseUrl)
      assert.strictEqual((yield* unused.ended).code, 0)
      assert.strictEqual(ledger.requests.length, 0)
    })
  )

  it.live("the natural end delivers what waits", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped()
      const ending = yield* host("natural end", ledger.baseUrl)
      assert.strictEqual((yield* ending.ended).code, 0)
      assert.strictEqual(keysDelivered(ledger), 500)
    })
  )

  it.live("with the ledger unreachable it ends all the same, and every record is reported (R7)", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped()
      yield* Effect.promise(() => ledger.close())
      const unreachable = yield* host("unreachable", ledger.baseUrl)
      assert.strictEqual((yield* unreachable.ended).code, 0)
      assert.deepStrictEqual(unreachable.lines, ['["QUEUE_CLOSED","QUEUE_CLOSED","QUEUE_CLOSED"]'])
    })
  )

  it.live("with a ledger that never answers it ends all the same (R7)", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped(ScriptedLedger.stall)
      const stalled = yield* host("unreachable", ledger.baseUrl)
      assert.strictEqual((yield* stalled.ended).code, 0)
      assert.deepStrictEqual(stalled.lines, ['["QUEUE_CLOSED","QUEUE_CLOSED","QUEUE_CLOSED"]'])
    })
  )

  it.live.each(["SIGTERM", "SIGINT"] as const)(
    "%s delivers 500 queued records and then ends the process as ever",
    (signal) =>
      Effect.gen(function* () {
        const ledger = yield* ScriptedLedger.scoped()
        const waiting = yield* host("wait for a signal", ledger.baseUrl)
        yield* waiting.said("ready")
        waiting.kill(signal)
        const end = yield* waiting.ended
        assert.deepStrictEqual([end.code, end.signal], [null, signal])
        assert.strictEqual(keysDelivered(ledger), 500)
      })
  )

  it.live("an Effect application delivers 500 queued records before SIGTERM ends it", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped()
      const waiting = yield* host("effect", ledger.baseUrl)
      yield* waiting.said("ready")
      waiting.kill("SIGTERM")
      assert.strictEqual((yield* waiting.ended).code, 130)
      assert.strictEqual(keysDelivered(ledger), 500)
    })
  )

  it.live("the host's own SIGTERM drain runs to its end, records included, and keeps its exit code (R5)", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped()
      const draining = yield* host("own drain", ledger.baseUrl)
      yield* draining.said("ready")
      draining.kill("SIGTERM")
      const end = yield* draining.ended
      assert.deepStrictEqual([end.code, end.signal], [3, null])
      assert.include(draining.lines, "drained")
      assert.strictEqual(keysDelivered(ledger), 501)
    })
  )

  it.live("a second signal does not wait for a stalled ledger", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped(ScriptedLedger.stall)
      const waiting = yield* host("wait for a signal", ledger.baseUrl)
      yield* waiting.said("ready")
      waiting.kill("SIGTERM")
      yield* Effect.sleep(100)
      waiting.kill("SIGTERM")
      assert.strictEqual((yield* waiting.ended).signal, "SIGTERM")
    })
  )

  it.live("no listener is added when told so", () =>
    Effect.gen(function* () {
      const quiet = yield* host("no listeners", "http://127.0.0.1:1/api/xase/v1")
      yield* quiet.ended
      assert.deepStrictEqual(quiet.lines, ["0"])
    })
  )

  it.live("50 clients share one listener each, and 1,000 cycles leave nothing behind (R6)", () =>
    Effect.gen(function* () {
      const many = yield* host("many clients", "http://127.0.0.1:1/api/xase/v1")
      assert.strictEqual((yield* many.ended).code, 0)
      assert.deepStrictEqual(many.lines, ["open 3", "closed 0", "resources 0"])
    })
  )

  it.live("records leave no trace in the heap once they are delivered (R28)", () =>
    Effect.gen(function* () {
      const ledger = yield* LedgerServer
      const many = yield* host("many records", ledger.baseUrl, ["--expose-gc"], ledger.apiKey)
      assert.strictEqual((yield* many.ended).code, 0)
      assert.strictEqual(many.lines[0], "delivered 40000")
      // 20,000 records of about 400 bytes would be 8,000 KiB; what stays is the engine's own.
      assert.isBelow(Number(many.lines[1]?.split(" ")[1]), 1_000)
    }).pipe(Effect.provide(LedgerServer.layer({ rateLimit: "unlimited" })))
  )

  it.live.each([
    ["a ledger that works", receipt],
    ["500", answer(500)],
    ["400", answer(400, { code: "VALIDATION_ERROR" })],
    ["401", answer(401, { error: "Invalid API key" })],
    ["429", answer(429, "", { "retry-after": "3600" })],
    ["resets", ScriptedLedger.reset],
    ["stalls", ScriptedLedger.stall],
    ["garbage", answer(200, "garbage")]
  ] as const)("no call that nobody awaits ends the host as an unhandled rejection: %s (R8)", ([, reply]) =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped(reply)
      const unawaited = yield* host("unawaited", ledger.baseUrl, ["--unhandled-rejections=strict"])
      const end = yield* unawaited.ended
      assert.strictEqual(end.stderr, "")
      assert.strictEqual(end.code, 0)
      assert.include(unawaited.lines, "alive")
    })
  )
})
