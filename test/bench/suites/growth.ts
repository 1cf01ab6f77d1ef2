/**
 * How costs grow with the payload, the queue and the number of requests in flight.
 */
import type { LineChart } from "../harness/Chart.ts"
import { startServer, startWorker } from "../harness/Processes.ts"
import type { Column, Report, Table } from "../harness/Report.ts"
import { interleave, type Samples, summary } from "../harness/Samples.ts"
import type { Scale, Suite } from "../harness/Suite.ts"
import type { SubjectName } from "../subjects/index.ts"
import { recordsFor, startDelivery } from "./delivery.ts"

const startGrowth = () => startWorker<typeof import("./growth.worker.ts")>(new URL("growth.worker.ts", import.meta.url))

const named = (sizes: ReadonlyArray<number>, unit: string) =>
  sizes.map((size) => ({ size, name: `${size.toLocaleString("en")} ${unit}` }))

const payloads = async ({ calls, rounds }: Scale): Promise<Table> => {
  await using worker = startGrowth()
  return {
    title: "record() as the payload grows",
    note: "Microseconds a call of `XaseClient.record`, in a tight loop into a full outbox.",
    columns: [
      { title: "record() µs", measure: "record", digits: 1 },
      { title: "JSON.stringify µs", measure: "stringify", digits: 1 }
    ],
    samples: await interleave(named([100, 1_000, 10_000, 100_000], "bytes"), rounds(5), ({ size }) =>
      worker.call("payload", size, calls(Math.max(200, 20_000_000 / size)))
    )
  }
}

const queues = ({ calls, rounds }: Scale): Promise<ReadonlyArray<Samples>> =>
  interleave(named([1_000, 10_000, 100_000, 1_000_000].map(calls), "records"), rounds(3), async ({ size }) => {
    await using worker = startGrowth()
    // The first run warms up.
    await worker.call("queue", calls(20_000))
    return await worker.call("queue", size)
  })

const concurrencies = [1, 2, 4, 8, 16, 32, 64, 128, 256]
const delivering: ReadonlyArray<SubjectName> = ["XaseClient", "undici request", "fetch in a loop"]

const deliveries = async ({ calls, rounds }: Scale): Promise<Table> => {
  await using server = await startServer()
  await using stack = new AsyncDisposableStack()
  const subjects = delivering.map((name) => ({ name, worker: stack.use(startDelivery()) }))
  const samples = await interleave(subjects, rounds(3), async ({ name, worker }) => {
    const round: Record<string, number> = {}
    for (const concurrency of concurrencies) {
      const records = calls(recordsFor(concurrency, 0))
      const found = await worker.call("deliver", name, { url: server.url, concurrency }, records)
      round[String(concurrency)] = found.perSecond ?? Number.NaN
    }
    return round
  })
  return {
    title: "Delivered records per second as requests in flight grow",
    columns: concurrencies.map((concurrency) => ({ title: String(concurrency), measure: String(concurrency) })),
    samples
  }
}

/** A line for each column, a point for each row, in the order of `xs`. */
const linesByRow = (
  { samples }: Table,
  columns: ReadonlyArray<Column>,
  xs: ReadonlyArray<number>
): LineChart["lines"] =>
  columns.map(({ measure, title }) => ({
    label: title,
    points: samples.map((each, index) => [xs[index] ?? Number.NaN, summary(each, measure)?.median ?? Number.NaN])
  }))

const run = async (scale: Scale): Promise<Omit<Report, "suite">> => {
  const payload = await payloads(scale)
  const queue: Table = {
    title: "The queue as it grows",
    note: "Microseconds a record: of queueing so many (`acceptNow`) while the ledger answers nothing, and of delivering all of them by one worker to a ledger, in the same process, that answers at once.",
    columns: [
      { title: "enqueue µs", measure: "enqueue", digits: 2 },
      { title: "drain µs", measure: "drain", digits: 2 }
    ],
    samples: await queues(scale)
  }
  const delivered = await deliveries(scale)
  return {
    tables: [payload, queue, delivered],
    charts: [
      {
        kind: "lines",
        name: "growth-payload",
        title: "A call of record(), µs by payload",
        xTitle: "bytes of JSON",
        lines: linesByRow(payload, payload.columns, [100, 1_000, 10_000, 100_000])
      },
      {
        kind: "lines",
        name: "growth-queue",
        title: "A record through the queue, µs by depth",
        xTitle: "records that wait",
        lines: linesByRow(queue, queue.columns, [1_000, 10_000, 100_000, 1_000_000].map(scale.calls))
      },
      {
        kind: "lines",
        name: "growth-concurrency",
        title: "Delivered records per second by requests in flight",
        xTitle: "requests in flight",
        lines: delivered.samples.map((samples) => ({
          label: samples.subject,
          points: concurrencies.map((each) => [each, summary(samples, String(each))?.median ?? Number.NaN])
        }))
      }
    ]
  }
}

export const growth: Suite = { name: "growth", run }
