/**
 * What one call of `record` costs its caller, while a worker delivers; and where the time goes.
 */
import { type ReceiptServer, startServer, startWorker } from "../harness/Processes.ts"
import { barsOf, type Table } from "../harness/Report.ts"
import { interleave } from "../harness/Samples.ts"
import type { Scale, Suite } from "../harness/Suite.ts"
import { peers, type SubjectName } from "../subjects/index.ts"

const subjects: ReadonlyArray<SubjectName> = ["XaseClient", "Xase (Effect)", ...peers, "pino to a file"]

/** A new process: what the last burst left in the queue must not be in the way. */
const warmWorker = async (name: SubjectName, server: ReceiptServer, calls: number) => {
  await server.settled()
  const worker = startWorker<typeof import("./record.worker.ts")>(new URL("record.worker.ts", import.meta.url))
  await worker.call("open", name, server.url)
  await worker.call("paced", calls)
  return worker
}

const calls = async ({ calls, rounds }: Scale): Promise<Table> => {
  await using server = await startServer()
  const samples = await interleave(
    subjects.map((name) => ({ name })),
    rounds(5),
    async ({ name }) => {
      const warm = () => warmWorker(name, server, calls(1_000))
      await using first = await warm()
      const round = {
        ...(await first.call("paced", calls(4_000))),
        ...(await first.call("burst", calls(100_000)))
      }
      await first[Symbol.asyncDispose]()
      await using second = await warm()
      return { ...round, ...(await second.call("slicedBurst", calls(100_000))) }
    }
  )
  return {
    title: "One call with a decision of 1 KB",
    note: "Paced: a call every 0.5 ms while earlier records are sent, in microseconds. Burst: 100,000 calls without a pause, or as many as 3 s allow. Event loop: how late timers of 1 ms fire (that millisecond included) in another burst that yields after every 100 calls, in milliseconds. The SDK validates, orders, encodes and keys at the call; the peers do not.",
    columns: [
      { title: "p50 µs", measure: "p50", digits: 1 },
      { title: "p50, ratio to posthog-node", measure: "p50", baseline: "posthog-node" },
      { title: "p99 µs", measure: "p99", digits: 1 },
      { title: "p99, ratio to posthog-node", measure: "p99", baseline: "posthog-node" },
      { title: "p99.9 µs", measure: "p999", digits: 0 },
      { title: "max µs", measure: "max", digits: 0 },
      { title: "burst calls/s", measure: "perSecond" },
      { title: "event loop p99 ms", measure: "loopP99", digits: 1 }
    ],
    samples
  }
}

const parts = async ({ calls, rounds }: Scale): Promise<Table> => {
  await using worker = startWorker<typeof import("./recordParts.worker.ts")>(
    new URL("recordParts.worker.ts", import.meta.url)
  )
  return {
    title: "Where the time of a call goes",
    note: "Nanoseconds an operation, in a tight loop in one process. `acceptNow` is measured into an outbox with room.",
    columns: [{ title: "ns", measure: "ns" }],
    samples: await worker.call("parts", rounds(15), calls(20_000))
  }
}

export const record: Suite = {
  name: "record",
  run: async (scale) => {
    const table = await calls(scale)
    const chart = (name: string, title: string, measure: string, digits: number) => ({
      kind: "bars" as const,
      name,
      title,
      bars: barsOf(table.samples, measure, digits)
    })
    return {
      tables: [table, await parts(scale)],
      charts: [
        chart("record-p50", "record(): median of a paced call, µs (less is better)", "p50", 1),
        chart("record-p99", "record(): 99th percentile of a paced call, µs (less is better)", "p99", 0),
        chart("record-burst", "record(): calls per second in a burst (more is better)", "perSecond", 0)
      ]
    }
  }
}
