/**
 * A host application that a test starts as a process of its own: `node host.ts <scenario>` with the ledger in
 * `XASE_BASE_URL`. It talks to the test in lines on standard output.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { XaseClient } from "../../../src/promise.ts"

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const decision = (n: number) => ({ policy: "p", input: { n }, output: {} })

const errors: Array<string> = []

const makeClient = (more: ConstructorParameters<typeof XaseClient>[0] = {}) =>
  new XaseClient({ onError: (error) => errors.push(error.code), ...more })

const recordMany = (client: XaseClient, count: number): void => {
  for (let n = 0; n < count; n++) void client.record(decision(n))
}

const scenarios: { readonly [name: string]: () => void | Promise<void> } = {
  idle: async () => {
    const client = makeClient()
    await client.record(decision(0))
    await client.flush()
    say("flushed")
  },

  "never used": () => {
    makeClient()
  },

  "natural end": () => {
    recordMany(makeClient(), 500)
  },

  unreachable: () => {
    recordMany(makeClient({ shutdownTimeout: 50 }), 3)
    process.on("exit", () => say(JSON.stringify(errors.filter((code) => code === "QUEUE_CLOSED"))))
  },

  "wait for a signal": () => {
    recordMany(makeClient({ shutdownTimeout: 20_000 }), 500)
    setInterval(() => {}, 1_000)
    say("ready")
  },

  "own drain": () => {
    const client = makeClient({ shutdownTimeout: 20_000 })
    recordMany(client, 500)
    const alive = setInterval(() => {}, 1_000)
    process.once("SIGTERM", async () => {
      await sleep(50)
      void client.record(decision(500))
      await client.flush(20_000)
      say("drained")
      process.exitCode = 3
      clearInterval(alive)
    })
    say("ready")
  },

  "no listeners": () => {
    const before = process.listenerCount("SIGTERM")
    makeClient({ exitHandlers: false })
    say(String(process.listenerCount("SIGTERM") - before))
  },

  unawaited: async () => {
    const client = makeClient({ maxRetries: 0, timeout: 50, shutdownTimeout: 50, outage: "fail" })
    const refusing = makeClient({ maxRetries: 0, queueMaxSize: 1, queuePolicy: "drop-newest", fireAndForget: false })
    for (let n = 0; n < 20; n++) {
      void client.record(decision(n))
      void client.record({ policy: "", input: {}, output: {} })
      void client.record(decision(n), { idempotencyKey: "short" })
      void client.record(decision(n), { skipQueue: true })
      void client.record(decision(n), { timeout: -1 })
      void refusing.record(decision(n))
      void client.flush(1)
      void client.flush(Number.NaN)
      void client.verify("txn_0")
    }
    await sleep(100)
    void client.close()
    void client.close()
    void refusing.close()
    void client.record(decision(1))
    void client.record(decision(1), { skipQueue: true })
    await sleep(200)
    say("alive")
  },

  "many records": async () => {
    const client = makeClient({ queuePolicy: "backpressure", concurrency: 8 })
    const heapAfter = async (count: number): Promise<number> => {
      for (let n = 0; n < count; n++) await client.record(decision(n))
      await client.flush(600_000)
      globalThis.gc?.()
      return process.memoryUsage().heapUsed
    }
    const before = await heapAfter(20_000)
    const after = await heapAfter(20_000)
    say(`delivered ${client.getStats().delivered}`)
    say(`grown ${Math.round((after - before) / 1024)}`)
  },

  "many clients": async () => {
    process.on("warning", (warning) => say(warning.name))
    const count = () =>
      process.listenerCount("SIGTERM") + process.listenerCount("SIGINT") + process.listenerCount("beforeExit")
    const before = count()
    const open = Array.from({ length: 50 }, () => makeClient())
    say(`open ${count() - before}`)
    await Promise.all(open.map((client) => client.close()))
    for (let cycle = 0; cycle < 1_000; cycle++) await makeClient().close()
    say(`closed ${count() - before}`)
    say(
      `resources ${process.getActiveResourcesInfo().filter((name) => name === "Timeout" || name === "TCPSocketWrap").length}`
    )
  }
}

await scenarios[process.argv[2] ?? ""]?.()
