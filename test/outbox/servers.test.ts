/**
 * What happens to a fleet: servers that stop and come back, workers that freeze, a limit that all share.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { XaseClient, type XaseClientConfig, XaseError } from "../../src/promise.ts"
import { type Ended, runCommand, startCommand } from "../support/Command.ts"
import { type Engine, programs, startPostgres, startRedis } from "../support/Engines.ts"
import { apiKey } from "../support/Faces.ts"
import {
  type Reply,
  receipt,
  receiptBody,
  type ScriptedLedger,
  start as startScripted
} from "../support/ScriptedLedger.ts"

const kinds = [
  { name: "Redis", program: programs.redis(), launch: startRedis },
  { name: "Postgres", program: programs.postgres(), launch: startPostgres }
]

const open = (outbox: XaseClientConfig["outbox"], ledger: ScriptedLedger, config: XaseClientConfig = {}) => {
  const lines: Array<string> = []
  const client = new XaseClient({
    apiKey,
    baseUrl: ledger.baseUrl,
    outbox,
    exitHandlers: false,
    logger: (line) => lines.push(line),
    ...config
  })
  return { client, lines }
}

const record = (client: XaseClient, n: number): Promise<unknown> =>
  client.record({ policy: "fraud_detection_v2", input: { n }, output: { blocked: false } })

const eventually = async (check: () => boolean, patience = 30_000): Promise<void> => {
  const end = performance.now() + patience
  while (!check()) {
    if (performance.now() > end) throw new Error("it did not come to pass")
    await sleep(25)
  }
}

/** The numbers of the decisions that the ledger has committed; each key counts once, as on a ledger. */
const committedNumbers = ({ committed, requests }: ScriptedLedger): ReadonlyArray<number> => {
  const numbers = new Map(
    requests.filter(({ key }) => committed.has(key)).map(({ input, key }) => [key, Number(input.n)])
  )
  return [...numbers.values()].sort((a, b) => a - b)
}

const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, n) => n)

const failure = async (promise: Promise<unknown>): Promise<XaseError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (cause: unknown) => cause
  )
  if (!(error instanceof XaseError)) throw new Error(`no XaseError: ${error}`)
  return error
}

describe.each(kinds)("an outbox in $name", ({ launch, program }) => {
  let engine: Engine
  beforeAll(async () => {
    if (program !== undefined) engine = await launch(program)
  })
  afterAll(() => engine?.[Symbol.asyncDispose]())

  const check = program === undefined ? it.skip : it

  check(
    "whose server stops in the middle refuses what it cannot store, and delivers all it has when it is back",
    async () => {
      const ledger = await startScripted(async (request, response) => {
        await sleep(20)
        await receipt(request, response)
      })
      const { client, lines } = open({ url: engine.url, lease: 3_000 }, ledger)
      const accepted: Array<number> = []
      const refused: Array<string> = []
      let n = 0
      const recordSome = async (milliseconds: number): Promise<void> => {
        const end = performance.now() + milliseconds
        while (performance.now() < end) {
          const number = n++
          await record(client, number).then(
            () => accepted.push(number),
            (error: XaseError) => refused.push(error.code)
          )
          await sleep(10)
        }
      }
      await recordSome(500)
      await engine.stop("SIGKILL")
      await recordSome(700)
      await engine.start()
      await eventually(() => {
        void record(client, 1_000_000).catch(() => {})
        return lines.some((line) => line.includes("available again"))
      })
      await recordSome(500)
      assert.isAbove(accepted.length, 20)
      assert.isAbove(refused.length, 5)
      assert.deepStrictEqual([...new Set(refused)], ["OUTBOX_UNAVAILABLE"])
      await eventually(() => {
        const there = new Set(committedNumbers(ledger))
        return accepted.every((number) => there.has(number))
      })
      assert.isAtMost(lines.filter((line) => line.includes("is not available")).length, 3)
      await client.close()
      await ledger.close()
    }
  )

  check(
    "with a worker that freezes for longer than its lease: another one goes on, nothing is lost or recorded twice",
    async () => {
      const ledger = await startScripted(async (request, response) => {
        await sleep(150)
        await receipt(request, response)
      })
      const producer = open({ url: engine.url, deliver: false }, ledger)
      for (const n of upTo(40)) await record(producer.client, n)
      await producer.client.close()

      const host = fileURLToPath(new URL("../support/hosts/deliverer.ts", import.meta.url))
      const launchWorker = (): ChildProcess =>
        spawn(process.execPath, [host, engine.url, ledger.baseUrl, apiKey], { stdio: ["ignore", "pipe", "inherit"] })
      const frozen = launchWorker()
      await eventually(() => ledger.requests.length >= 3)
      frozen.kill("SIGSTOP")
      const other = launchWorker()
      await eventually(() => committedNumbers(ledger).length === 40)
      frozen.kill("SIGCONT")
      await sleep(500)
      for (const worker of [frozen, other]) {
        const ended = once(worker, "exit")
        worker.kill("SIGTERM")
        assert.deepStrictEqual(await ended, [0, null])
      }
      assert.deepStrictEqual(committedNumbers(ledger), upTo(40))
      const { out } = await runCommand(["outbox", "status", "--outbox", engine.url, "--json"])
      assert.include(JSON.parse(out), { waiting: 0, "in flight": 0, dead: 0 })
      await ledger.close()
    }
  )

  check("renews the lease of a record whose delivery takes longer: nobody else sends it (R40)", async () => {
    const ledger = await startScripted(async (request, response) => {
      await sleep(7_000)
      await receipt(request, response)
    })
    const settings = { timeout: 20_000, shutdownTimeout: 20_000 }
    const workers = [1, 2].map(() => open({ url: engine.url, lease: 3_000 }, ledger, settings).client)
    const [first] = workers
    if (first === undefined) throw new Error("no worker")
    await record(first, 1)
    await first.flush(30_000)
    for (const worker of workers) await worker.close()
    assert.lengthOf(ledger.requests, 1)
    await ledger.close()
  })

  check("shows its password nowhere (R32)", async () => {
    const ledger = await startScripted()
    const url = new URL(engine.url)
    url.username = "someone"
    url.password = "canary-password"
    url.port = "1"
    const { client, lines } = open(url.href, ledger)
    const error = await failure(record(client, 1))
    await client.close()
    await ledger.close()
    assert.strictEqual(error.code, "OUTBOX_UNAVAILABLE")
    assert.include(error.message, "ECONNREFUSED")
    const { inspect } = await import("node:util")
    assert.notInclude(inspect({ error, lines, client }, { depth: 20, showHidden: true }), "canary-password")
  })
})

describe("an address that is wrong", () => {
  it.each([
    ["mysql://localhost/db", "mysql:"],
    ["sqlite:", "names no file"],
    ["not an address", "is not an address"]
  ])("%s is refused at once", (outbox, problem) => {
    let error: unknown
    try {
      new XaseClient({ apiKey, outbox, exitHandlers: false })
    } catch (cause) {
      error = cause
    }
    assert.instanceOf(error, XaseError)
    assert.include((error as XaseError).message, problem)
    assert.strictEqual((error as XaseError).code, "CONFIGURATION_ERROR")
  })

  it.each(["redis://127.0.0.1:1", "postgres://127.0.0.1:1/xase"])(
    "%s, where nobody is, is said by record",
    async (outbox) => {
      const ledger = await startScripted()
      const { client } = open(outbox, ledger)
      const error = await failure(record(client, 1))
      assert.include(error, { code: "OUTBOX_UNAVAILABLE", evidence: "not recorded" })
      assert.include(client.getStats(), { accepted: 0, pending: 0, inFlight: 0 })
      await client.close()
      const fallback = open({ url: outbox, onUnavailable: "memory" }, ledger)
      await record(fallback.client, 2)
      await fallback.client.flush(5_000)
      await fallback.client.close()
      assert.deepStrictEqual(committedNumbers(ledger), [2])
      await ledger.close()
    }
  )
})

const redis = programs.redis()

describe.skipIf(redis === undefined)("a fleet with one rate limit", () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await startRedis(redis ?? "")
  })
  afterAll(() => engine[Symbol.asyncDispose]())

  const limit = 20

  /** A ledger that takes so many in each window of the clock, and counts how often it had to refuse. */
  const limited = (window: number) => {
    const perWindow = new Map<number, number>()
    let refused = 0
    const reply: Reply = (_, response) => {
      const now = Date.now()
      const current = Math.floor(now / window)
      const used = (perWindow.get(current) ?? 0) + 1
      if (used > limit) refused++
      else perWindow.set(current, used)
      const headers = {
        "content-type": "application/json",
        "x-ratelimit-limit": String(limit),
        "x-ratelimit-remaining": String(Math.max(0, limit - used)),
        "x-ratelimit-reset": String((current + 1) * window)
      }
      if (used > limit)
        response
          .writeHead(429, headers)
          .end(JSON.stringify({ error: "Rate limit exceeded", code: "RATE_LIMIT_EXCEEDED" }))
      else response.writeHead(201, headers).end(receiptBody())
    }
    return { reply, refused: () => refused, perWindow }
  }

  const store = async (ledger: ScriptedLedger, url: string, count: number): Promise<void> => {
    const { client } = open({ url, deliver: false }, ledger)
    await Promise.all(upTo(count).map((n) => record(client, n)))
    await client.close()
  }

  const relays = (url: string, ledger: ScriptedLedger, ...flags: ReadonlyArray<string>): ReadonlyArray<ChildProcess> =>
    [1, 2].map(() =>
      startCommand(["relay", "--outbox", url, "--workers", "2", ...flags], {
        XASE_API_KEY: apiKey,
        XASE_BASE_URL: ledger.baseUrl
      })
    )

  const stopped = (children: ReadonlyArray<ChildProcess>): Promise<ReadonlyArray<unknown>> =>
    Promise.all(
      children.map((child) => {
        const ended = once(child, "exit")
        child.kill("SIGTERM")
        return ended
      })
    )

  /** The limit of an hour begins anew on the hour: a test that crosses it would see two. */
  const awayFromTheHour = async (): Promise<void> => {
    const left = 3_600_000 - (Date.now() % 3_600_000)
    if (left < 30_000) await sleep(left + 1_000)
  }

  it("stays under it: two relays together send as many as it allows, and the ledger refuses none", async () => {
    await awayFromTheHour()
    const hour = limited(3_600_000)
    const ledger = await startScripted(hour.reply)
    await store(ledger, `${engine.url}/1`, 50)
    const children = relays(`${engine.url}/1`, ledger, "--rate-limit", String(limit))
    await eventually(() => ledger.committed.size >= limit)
    await sleep(1_500)
    await stopped(children)
    assert.strictEqual(ledger.committed.size, limit)
    assert.strictEqual(hour.refused(), 0)
    await ledger.close()
  })

  it("learns it from the ledger's answers", async () => {
    await awayFromTheHour()
    const hour = limited(3_600_000)
    const ledger = await startScripted(hour.reply)
    await store(ledger, `${engine.url}/2`, 50)
    const children = relays(`${engine.url}/2`, ledger)
    await eventually(() => ledger.committed.size >= limit)
    await sleep(1_500)
    await stopped(children)
    assert.strictEqual(ledger.committed.size, limit)
    // Each worker may have one request on its way when the last one is taken.
    assert.isAtMost(hour.refused(), 4)
    await ledger.close()
  })

  it("goes on in the next window", async () => {
    const window = 2_000
    const short = limited(window)
    const ledger = await startScripted(short.reply)
    await store(ledger, `${engine.url}/3`, 50)
    const children = relays(`${engine.url}/3`, ledger, "--rate-limit", String(limit - 2), "--rate-window", "2 seconds")
    await eventually(() => ledger.committed.size === 50)
    await stopped(children)
    // Two fewer than it allows: a request on its way when a window ends counts for the next one.
    for (const count of short.perWindow.values()) assert.isAtMost(count, limit)
    assert.strictEqual(short.refused(), 0)
    await ledger.close()
  })
})

describe("xase relay", () => {
  it("needs a durable outbox, and says so", async () => {
    const ended: Ended = await runCommand(["relay"], { XASE_API_KEY: apiKey })
    assert.strictEqual(ended.code, 2)
    assert.include(ended.err, "XASE_OUTBOX")
  })
})
