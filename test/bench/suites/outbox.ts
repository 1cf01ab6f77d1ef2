/**
 * Durable outboxes: how fast records are accepted and delivered, and what a backlog costs.
 */
import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { type Engine, programs, startPostgres, startRedis, temporaryFolder } from "../../support/Engines.ts"
import { startServer, startWorker } from "../harness/Processes.ts"
import { barsOf, type Report } from "../harness/Report.ts"
import { interleave, type Round } from "../harness/Samples.ts"
import type { Scale, Suite } from "../harness/Suite.ts"

interface Kind {
  readonly name: string
  readonly url: () => string
  readonly durability?: "fsync" | "os"
}

const startOutbox = () => startWorker<typeof import("./outbox.worker.ts")>(new URL("outbox.worker.ts", import.meta.url))

const measure = async ({ durability, url }: Kind, count: number): Promise<Round> => {
  await using server = await startServer()
  await using worker = startOutbox()
  await worker.call("open", { url: url(), durability }, server.url, 16)
  await worker.call("accept", 500)
  await worker.call("drain")
  server.hold()
  const accepted = await worker.call("accept", count)
  server.release()
  return { accepted, delivered: await worker.call("drain") }
}

/** Opens a file with so many records in it and delivers some of them. */
const backlog = async (url: string, count: number, deliver: number): Promise<Round> => {
  {
    await using filler = startOutbox()
    await filler.call("fill", url, count)
  }
  await using server = await startServer()
  await using worker = startOutbox()
  return await worker.call("backlog", url, server.url, deliver)
}

const run = async ({ calls, rounds }: Scale): Promise<Omit<Report, "suite">> => {
  using folder = temporaryFolder()
  const [redis, postgres] = [programs.redis(), programs.postgres()]
  const engines: Array<Engine> = []
  const kinds: Array<Kind> = [
    { name: "memory", url: () => "memory" },
    { name: "SQLite, os", url: () => `sqlite:${join(folder.path, `${randomUUID()}.db`)}`, durability: "os" },
    { name: "SQLite, fsync", url: () => `sqlite:${join(folder.path, `${randomUUID()}.db`)}`, durability: "fsync" }
  ]
  try {
    if (redis !== undefined) {
      const engine = await startRedis(redis)
      engines.push(engine)
      kinds.push({ name: "Redis, appendfsync always", url: () => engine.url })
    }
    if (postgres !== undefined) {
      const engine = await startPostgres(postgres)
      engines.push(engine)
      kinds.push({ name: "Postgres", url: () => engine.url })
    }
    const samples = await interleave(kinds, rounds(3), (kind) => measure(kind, calls(5_000)))
    const [records, delivered] = [calls(1_000_000), calls(20_000)]
    const backlogs = await interleave([{ name: `SQLite, ${records.toLocaleString("en")} records` }], 1, () =>
      backlog(`sqlite:${join(folder.path, "backlog.db")}`, records, delivered)
    )
    return {
      tables: [
        {
          title: "Outboxes: records a second",
          note: "Accepted: record() has resolved for each of a burst of calls, while the server answers nothing. Delivered: the same records then, at concurrency 16. Records of 1 KB.",
          columns: [
            { title: "accepted", measure: "accepted" },
            { title: "delivered", measure: "delivered" }
          ],
          samples
        },
        {
          title: "A backlog",
          note: `Opened: from making the client to the first record that was delivered. Memory: the most that the process took while it delivered ${delivered.toLocaleString("en")} of them, and after the first 1,000.`,
          columns: [
            { title: "opened, ms", measure: "opened" },
            { title: "MB after 1,000", measure: "early", digits: 0 },
            { title: "MB at most", measure: "most", digits: 0 }
          ],
          samples: backlogs
        }
      ],
      charts: [
        {
          kind: "bars",
          name: "outbox-accepted",
          title: "Records accepted a second, by outbox (more is better)",
          bars: barsOf(samples, "accepted", 0)
        },
        {
          kind: "bars",
          name: "outbox-delivered",
          title: "Records delivered a second, by outbox (more is better)",
          bars: barsOf(samples, "delivered", 0)
        }
      ]
    }
  } finally {
    for (const engine of engines) await engine[Symbol.asyncDispose]()
  }
}

export const outbox: Suite = { name: "outbox", run }
