/**
 * What holds for every outbox, in memory, SQLite, Redis and Postgres: one suite against the real ones.
 */
import { execFile } from "node:child_process"
import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { Xase } from "../../src/index.ts"
import { type RunningLedger, startLedger } from "../../src/ledger-server/index.ts"
import {
  type OutboxOptions,
  type RecordResult,
  XaseClient,
  type XaseClientConfig,
  XaseError
} from "../../src/promise.ts"
import { runCommand } from "../support/Command.ts"
import { type Engine, programs, startPostgres, startRedis, temporaryFolder } from "../support/Engines.ts"

const createDatabase = async (url: string, name: string): Promise<void> => {
  const { PgClient } = await import("@effect/sql-pg")
  const { Effect, Redacted } = await import("effect")
  const { SqlClient } = await import("effect/sql")
  await Effect.runPromise(
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE DATABASE ${sql(name)}`).pipe(
      Effect.provide(PgClient.layer({ url: Redacted.make(url) }))
    )
  )
}

interface Kind {
  readonly name: string
  readonly isDurable: boolean
  /** Where this kind cannot run, and why. */
  readonly missing: string | undefined
  readonly start: () => Promise<AsyncDisposable & { readonly fresh: () => Promise<string> }>
}

const server = (engine: Engine, fresh: () => Promise<string>) => ({
  fresh,
  [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]()
})

const redis = programs.redis()
const postgres = programs.postgres()

const kinds: ReadonlyArray<Kind> = [
  {
    name: "memory",
    isDurable: false,
    missing: undefined,
    start: async () => ({ fresh: async () => "memory", [Symbol.asyncDispose]: async () => {} })
  },
  {
    name: "sqlite",
    isDurable: true,
    missing: undefined,
    start: async () => {
      const folder = temporaryFolder()
      return {
        fresh: async () => `sqlite:${join(folder.path, `${randomUUID()}.db`)}`,
        [Symbol.asyncDispose]: async () => folder[Symbol.dispose]()
      }
    }
  },
  {
    name: "redis",
    isDurable: true,
    missing: redis === undefined ? "redis-server is not installed" : undefined,
    start: async () => {
      const engine = await startRedis(redis ?? "")
      let database = 0
      return server(engine, async () => `${engine.url}/${database++}`)
    }
  },
  {
    name: "postgres",
    isDurable: true,
    missing: postgres === undefined ? "postgres is not installed" : undefined,
    start: async () => {
      const engine = await startPostgres(postgres ?? "")
      return server(engine, async () => {
        const name = `outbox_${randomUUID().replaceAll("-", "")}`
        await createDatabase(engine.url, name)
        return engine.url.replace(/\/postgres$/, `/${name}`)
      })
    }
  }
]

let ledger: RunningLedger

const listAll = async (): Promise<ReadonlyArray<{ readonly policyId: string; readonly transactionId: string }>> => {
  const records: Array<{ readonly policyId: string; readonly transactionId: string }> = []
  for (let page = 1; ; page++) {
    const response = await fetch(`${ledger.baseUrl}/records?limit=100&page=${page}`, {
      headers: { "x-api-key": ledger.apiKey }
    })
    const { pagination, records: rows } = await response.json()
    records.push(...rows)
    if (page >= pagination.pages) return records.reverse()
  }
}

/** The policies of the records that a test sent, in the order of the ledger. */
const policiesOf = async (test: string): Promise<ReadonlyArray<string>> =>
  (await listAll()).map(({ policyId }) => policyId).filter((policy) => policy.startsWith(`${test}-`))

interface Client {
  readonly client: XaseClient
  readonly errors: Array<string>
  readonly receipts: Array<RecordResult>
  readonly lines: Array<string>
}

const open = (outbox: string | OutboxOptions<number, string>, config: XaseClientConfig = {}): Client => {
  const errors: Array<string> = []
  const receipts: Array<RecordResult> = []
  const lines: Array<string> = []
  const client = new XaseClient({
    apiKey: ledger.apiKey,
    baseUrl: ledger.baseUrl,
    exitHandlers: false,
    outbox,
    onError: (error) => errors.push(error.code),
    onSuccess: (receipt) => receipts.push(receipt),
    logger: (line) => lines.push(line),
    ...config
  })
  return { client, errors, receipts, lines }
}

const down = "http://127.0.0.1:9/api/xase/v1"

const decision = (test: string, n: number, more: object = {}) => ({
  policy: `${test}-${n}`,
  input: { n },
  output: { ok: true },
  ...more
})

const numbered = (test: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, n) => `${test}-${n}`)

const recordAll = (client: XaseClient, test: string, count: number, from = 0): Promise<ReadonlyArray<unknown>> =>
  Promise.all(Array.from({ length: count }, (_, n) => client.record(decision(test, from + n))))

const isConserved = (client: XaseClient): void => {
  const { accepted, adopted, delivered, dropped, failed, inFlight, pending, stored } = client.getStats()
  const all = dropped.QueueFull + dropped.Shutdown + dropped.Interrupted
  assert.strictEqual(accepted + adopted, delivered + failed + all + stored + pending + inFlight)
}

const eventually = async (check: () => Promise<boolean> | boolean, patience = 20_000): Promise<void> => {
  const end = performance.now() + patience
  while (!(await check())) {
    if (performance.now() > end) throw new Error("it did not come to pass")
    await sleep(50)
  }
}

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise
    return "none"
  } catch (error) {
    return error instanceof XaseError ? error.code : String(error)
  }
}

let test = 0

describe.each(kinds)("an outbox in $name", ({ isDurable, missing, name: kind, start }) => {
  let place: Awaited<ReturnType<Kind["start"]>>

  beforeAll(async () => {
    if (missing !== undefined) return
    ledger = await startLedger({ rateLimit: "unlimited" })
    place = await start()
  })
  afterAll(async () => {
    if (missing !== undefined) return
    await place[Symbol.asyncDispose]()
    await ledger.close()
  })

  const check = (name: string, run: (id: string, url: string) => Promise<void>): void => {
    if (missing !== undefined) it.skip(`${name} (${missing})`)
    else it(name, async () => run(`t${++test}`, await place.fresh()))
  }
  const describeDurable = (name: string, tests: () => void): void => {
    if (isDurable) describe(name, tests)
  }
  const checkDurable: typeof check = (name, run) => (isDurable ? check(name, run) : undefined)

  check("delivers every record once, in the order of the calls", async (id, url) => {
    const { client, errors, receipts } = open(url)
    await recordAll(client, id, 300)
    await client.flush(30_000)
    assert.deepStrictEqual(await policiesOf(id), numbered(id, 300))
    assert.deepStrictEqual(errors, [])
    assert.lengthOf(receipts, 300)
    assert.include(client.getStats(), { accepted: 300, delivered: 300, pending: 0, inFlight: 0, stored: 0, adopted: 0 })
    await client.close()
  })

  check("the books are right at every moment (R25)", async (id, url) => {
    const { client } = open(url, { concurrency: 4 })
    for (let round = 0; round < 20; round++) {
      const recorded = recordAll(client, id, 10, round * 10)
      isConserved(client)
      await recorded
      isConserved(client)
    }
    await client.flush(30_000)
    isConserved(client)
    await client.close()
    isConserved(client)
    assert.sameMembers([...(await policiesOf(id))], [...numbered(id, 200)])
  })

  check(
    "a decision that is under way already is not taken twice, another one under its key is refused (R31)",
    async (id, url) => {
      const { client } = open(url, { baseUrl: down, outage: "hold" })
      const same = decision(id, 0, { transactionId: `order-${id}` })
      await Promise.all([client.record(same), client.record(same)])
      assert.strictEqual(await codeOf(client.record({ ...same, output: { ok: false } })), "IDEMPOTENCY_CONFLICT")
      assert.include(client.getStats(), { accepted: 1, joined: 1 })
      isConserved(client)
      await client.close()
    }
  )

  check("a record that the ledger refuses fails, and the next one flows (R23)", async (id, url) => {
    const { client, errors } = open(url)
    await ledger.setFaults({ sequence: [{ type: "status", status: 400 }] })
    await recordAll(client, id, 3)
    await client.flush(30_000)
    assert.deepStrictEqual(errors, ["VALIDATION_ERROR"])
    assert.lengthOf(await policiesOf(id), 2)
    assert.include(client.getStats(), { accepted: 3, delivered: 2, failed: 1 })
    await client.close()
  })

  check("a ledger that answers late, wrongly or not at all gets each record once", async (id, url) => {
    await ledger.setFaults({
      sequence: [
        { type: "status", status: 503 },
        { type: "reset", commit: true },
        { type: "reset" },
        { type: "status", status: 500 },
        { type: "reset", commit: true }
      ]
    })
    const { client } = open(url)
    await recordAll(client, id, 20)
    await client.flush(30_000)
    await ledger.setFaults({})
    assert.deepStrictEqual(await policiesOf(id), numbered(id, 20))
    await client.close()
  })

  check("flush tells what is left when its time is over", async (id, url) => {
    const { client } = open(url, { baseUrl: down })
    await recordAll(client, id, 5)
    const error = await client.flush(300).catch((cause: unknown) => cause)
    assert.instanceOf(error, XaseError)
    assert.deepInclude(error, { code: "FLUSH_TIMEOUT", details: { remaining: 5 } })
    await client.close()
  })

  check("a closed client takes nothing more", async (id, url) => {
    const { client } = open(url)
    await client.close()
    assert.strictEqual(await codeOf(client.record(decision(id, 0))), "QUEUE_CLOSED")
  })

  checkDurable("what a client leaves behind the next one delivers, in order (R37)", async (id, url) => {
    const first = open(url, { baseUrl: down, shutdownTimeout: 100 })
    await recordAll(first.client, id, 50)
    await first.client.close()
    assert.include(first.client.getStats(), { accepted: 50, delivered: 0, stored: 50 })
    assert.deepStrictEqual(
      first.errors.filter((code) => code !== "MAX_RETRIES"),
      []
    )
    isConserved(first.client)

    const second = open(url)
    await recordAll(second.client, id, 10, 50)
    await second.client.flush(30_000)
    await eventually(async () => (await policiesOf(id)).length === 60)
    const policies = await policiesOf(id)
    if (url.startsWith("redis:")) assert.sameMembers([...policies], [...numbered(id, 60)])
    else assert.deepStrictEqual(policies, numbered(id, 60))
    assert.include(second.client.getStats(), { accepted: 10, adopted: 50, delivered: 60 })
    isConserved(second.client)
    await second.client.close()
  })

  checkDurable("two clients on one outbox deliver each record once (R40)", async (id, url) => {
    const clients = [open(url), open(url)]
    await Promise.all(clients.map(({ client }, index) => recordAll(client, id, 100, index * 100)))
    await Promise.all(clients.map(({ client }) => client.flush(30_000)))
    assert.sameMembers([...(await policiesOf(id))], [...numbered(id, 200)])
    for (const { client } of clients) {
      isConserved(client)
      assert.include(client.getStats(), { accepted: 100, pending: 0, inFlight: 0 })
      await client.close()
    }
  })

  checkDurable("clients that open a new outbox at the same moment all find it", async (id, url) => {
    const clients = Array.from({ length: 8 }, () => open({ url, deliver: false }).client)
    await Promise.all(clients.map((client, n) => client.record(decision(id, n))))
    for (const client of clients) await client.close()
    const { client } = open(url)
    await eventually(async () => (await policiesOf(id)).length >= 8)
    await client.close()
    assert.sameMembers([...(await policiesOf(id))], [...numbered(id, 8)])
  })

  checkDurable("a producer that leaves delivery to others only stores", async (id, url) => {
    const producer = open({ url, deliver: false })
    await recordAll(producer.client, id, 20)
    await producer.client.flush(1_000)
    assert.include(producer.client.getStats(), { accepted: 20, stored: 20, delivered: 0, pending: 0 })
    assert.lengthOf(await policiesOf(id), 0)
    await producer.client.close()

    const relayed = await runCommand(["relay", "--until-empty", "--outbox", url, "--json"], {
      XASE_API_KEY: ledger.apiKey,
      XASE_BASE_URL: ledger.baseUrl
    })
    assert.strictEqual(relayed.code, 0, relayed.err)
    assert.deepStrictEqual(await policiesOf(id), numbered(id, 20))
  })

  checkDurable("a receipt is waited for past the outbox", async (id, url) => {
    const { client } = open(url)
    const receipt = await client.record(decision(id, 0), { skipQueue: true })
    assert.match(receipt.transaction_id, /^txn_/)
    assert.deepStrictEqual(await policiesOf(id), numbered(id, 1))
    await client.close()
  })

  // The driver of Postgres keeps its sockets referenced: there a client has to be closed.
  const checkUnreferenced: typeof check = (name, run) => (kind === "postgres" ? undefined : check(name, run))

  checkUnreferenced("lets the process come to its natural end, with everything delivered (R4)", async (_, url) => {
    const host = fileURLToPath(new URL("../support/hosts/once.ts", import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [host, url, ledger.baseUrl, ledger.apiKey], {
      timeout: 20_000
    })
    assert.include(JSON.parse(stdout), { accepted: 1, delivered: 1 })
  })

  check("serves an Effect application too", async (id, url) => {
    const program = Effect.gen(function* () {
      const xase = yield* Xase
      yield* Effect.forEach([0, 1, 2], (n) => xase.record(decision(id, n)))
      yield* xase.flush("20 seconds")
      return yield* xase.stats
    })
    const layer = Xase.layer({ apiKey: ledger.apiKey, baseUrl: ledger.baseUrl, outbox: url }).pipe(
      Layer.provide(FetchHttpClient.layer)
    )
    const stats = await Effect.runPromise(Effect.provide(program, layer))
    assert.include(stats, { accepted: 3, delivered: 3 })
    assert.deepStrictEqual(await policiesOf(id), numbered(id, 3))
  })

  checkDurable("its chain of commitments is whole, with what others deliver", async (id, url) => {
    using folder = temporaryFolder()
    const journal = join(folder.path, "journal.db")
    const first = open(url, { baseUrl: down, shutdownTimeout: 50 })
    await recordAll(first.client, id, 5)
    await first.client.close()
    const second = open(url, { journal })
    await recordAll(second.client, id, 5, 5)
    await second.client.flush(30_000)
    await eventually(async () => (await policiesOf(id)).length === 10)
    await second.client.close()
    const { DatabaseSync } = await import("node:sqlite")
    const database = new DatabaseSync(journal)
    const chains = database
      .prepare(
        "SELECT producer, sequence, commitment_hash, previous_commitment FROM entries ORDER BY producer, sequence"
      )
      .all()
    database.close()
    assert.lengthOf(chains, 10)
    assert.strictEqual(new Set(chains.map(({ producer }) => producer)).size, 2)
    for (const [index, { previous_commitment, producer, sequence }] of chains.entries()) {
      const before = chains[index - 1]
      assert.strictEqual(sequence, (index % 5) + 1)
      assert.strictEqual(previous_commitment, before?.producer === producer ? before?.commitment_hash : null)
    }
  })

  describeDurable("its dead letters", () => {
    const command = (url: string, ...args: ReadonlyArray<string>) =>
      runCommand(["outbox", ...args, "--outbox", url, "--json"])

    check("are set aside with their reason, looked at, delivered again and discarded", async (id, url) => {
      await ledger.setFaults({
        sequence: [
          { type: "status", status: 400 },
          { type: "status", status: 422 }
        ]
      })
      const { client } = open(url)
      await client.record(decision(id, 0, { transactionId: `dead-${id}` }))
      await client.record(decision(id, 1))
      await client.flush(30_000)
      await client.close()

      const status = JSON.parse((await command(url, "status")).out)
      assert.include(status, { waiting: 0, "in flight": 0, dead: 2, unreadable: 0 })
      assert.notInclude(JSON.stringify(status), "no-password-needed")

      const listed = (await command(url, "list", "--state", "dead")).out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
      assert.deepStrictEqual(
        listed.map(({ policy }) => policy),
        [`${id}-0`, `${id}-1`]
      )
      assert.include(listed[0].reason, "not valid")

      const shown = JSON.parse((await command(url, "show", `dead-${id}`)).out)
      assert.strictEqual(JSON.parse(shown.body).policyId, `${id}-0`)

      const unasked = await command(url, "discard", "--all")
      assert.strictEqual(unasked.code, 2)
      assert.include(unasked.err, "--yes")
      const unknown = await command(url, "retry", "nobody", "--yes")
      assert.strictEqual(unknown.code, 2)
      assert.include(unknown.err, "nobody")

      assert.deepStrictEqual(JSON.parse((await command(url, "retry", `dead-${id}`, "--yes")).out), { retried: 1 })
      assert.deepStrictEqual(JSON.parse((await command(url, "discard", listed[1].key, "--yes")).out), { discarded: 1 })
      assert.include(JSON.parse((await command(url, "status")).out), { waiting: 1, dead: 0 })
      assert.include(JSON.parse((await command(url, "doctor", "--compact")).out), { records: 1, compacted: true })

      const again = open(url)
      await eventually(async () => (await policiesOf(id)).length === 1)
      await again.client.close()
      assert.deepStrictEqual(await policiesOf(id), [`${id}-0`])
    })
  })

  describeDurable("records older than the ledger's memory of keys", () => {
    /** Stores records, has some of them delivered without the outbox noticing, and lets all of them grow old. */
    const grownOld = async (id: string, url: string): Promise<void> => {
      const { client } = open(url, { baseUrl: down, shutdownTimeout: 50 })
      await recordAll(client, id, 3)
      await client.close()
      const listed = await runCommand(["outbox", "show", "--outbox", url, "--json", await keyOf(url, `${id}-1`)])
      const { body, key } = JSON.parse(listed.out)
      await fetch(`${ledger.baseUrl}/records`, {
        method: "POST",
        headers: {
          "x-api-key": ledger.apiKey,
          "content-type": "application/json",
          "idempotency-key": `other-${key}`.slice(0, 64)
        },
        body
      })
      assert.deepStrictEqual(await policiesOf(id), [`${id}-1`])
      await sleep(1_100)
    }
    const keyOf = async (url: string, policy: string): Promise<string> => {
      const { out } = await runCommand(["outbox", "list", "--outbox", url, "--json"])
      const items = out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
      return items.find((item) => item.policy === policy).key
    }

    check("are looked up by their commitment and not sent again", async (id, url) => {
      await grownOld(id, url)
      const { client, receipts } = open({ url, idempotencyWindow: 1_000 })
      await eventually(() => client.getStats().delivered === 3)
      const policies = await policiesOf(id)
      assert.sameMembers([...policies], [...numbered(id, 3)])
      assert.lengthOf(receipts, 3)
      await client.close()
    })

    check("are set aside where the ledger cannot tell", async (id, url) => {
      await grownOld(id, url)
      const { apiKey } = await ledger.createKey({ permissions: ["export"] })
      const { client, errors } = open(
        { url, idempotencyWindow: 1_000 },
        { apiKey, baseUrl: `${ledger.baseUrl}/nothing-here` }
      )
      await eventually(() => client.getStats().failed === 3)
      await client.close()
      assert.deepStrictEqual(errors, Array(3).fill("PAST_IDEMPOTENCY_WINDOW"))
      const { out } = await runCommand(["outbox", "list", "--state", "dead", "--outbox", url, "--json"])
      assert.include(out, "memory of keys")
    })
  })
})
