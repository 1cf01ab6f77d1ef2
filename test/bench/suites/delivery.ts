/**
 * How many records a second arrive, and what processor time the client pays for them.
 */
import { type ReceiptServer, startServer, startWorker, type Worker } from "../harness/Processes.ts"
import { barsOf, type Report, type Table } from "../harness/Report.ts"
import { interleave, type Round, type Samples } from "../harness/Samples.ts"
import type { Scale, Suite } from "../harness/Suite.ts"
import { peers, type SubjectName } from "../subjects/index.ts"

type DeliveryTasks = typeof import("./delivery.worker.ts")

const onePost: ReadonlyArray<SubjectName> = [
  "undici request",
  "XaseClient",
  "Xase (Effect)",
  "Xase on HttpClient (undici)",
  "fetch in a loop"
]

/** A process for a subject that delivers. */
export const startDelivery = (): Worker<DeliveryTasks> =>
  startWorker<DeliveryTasks>(new URL("delivery.worker.ts", import.meta.url))

/** About a second's worth of records. */
export const recordsFor = (concurrency: number, latency: number): number =>
  latency === 0 ? (concurrency < 4 ? 3_000 : 8_000) : Math.max(20, Math.round((concurrency * 1_000) / (latency + 1)))

const answersAfter = (latency: number): string =>
  latency === 0 ? "a server that answers at once" : `a server that answers after ${latency} ms`

/** The measures of one concurrency, named so that those of several fit into one table. */
const at = (concurrency: number, { cpu = Number.NaN, perSecond = Number.NaN }: Round): Round => ({
  [`perSecond${concurrency}`]: perSecond,
  [`cpu${concurrency}`]: cpu
})

/** One round beside the same round at another concurrency. */
const joined = (some: ReadonlyArray<Samples>, others: ReadonlyArray<Samples>): ReadonlyArray<Samples> =>
  others.map(({ rounds, subject }, index) => ({
    subject,
    rounds: rounds.map((round, number) => ({ ...some[index]?.rounds[number], ...round }))
  }))

const oneByOne = async (
  latency: number,
  concurrencies: ReadonlyArray<number>,
  rounds: number,
  scale: Scale,
  server: ReceiptServer
): Promise<Table> => {
  await using stack = new AsyncDisposableStack()
  const subjects = onePost.map((name) => ({ name, worker: stack.use(startDelivery()) }))
  let samples: ReadonlyArray<Samples> = []
  for (const concurrency of concurrencies) {
    const records = scale.calls(recordsFor(concurrency, latency))
    const measure = async ({ name, worker }: (typeof subjects)[number]): Promise<Round> =>
      at(concurrency, await worker.call("deliver", name, { url: server.url, concurrency }, records))
    for (const subject of subjects) await measure(subject)
    samples = joined(samples, await interleave(subjects, scale.rounds(rounds), measure))
  }
  return {
    title: `One request a record, to ${answersAfter(latency)}`,
    note: "c is the number of requests in flight. CPU: the client's processor seconds per 1,000 records.",
    columns: concurrencies.flatMap((concurrency) => [
      { title: `records/s, c ${concurrency}`, measure: `perSecond${concurrency}` },
      { title: `ratio, c ${concurrency}`, measure: `perSecond${concurrency}`, baseline: "undici request" },
      { title: `CPU s, c ${concurrency}`, measure: `cpu${concurrency}`, digits: 3 }
    ]),
    samples
  }
}

const batching = async (latency: number, scale: Scale): Promise<Table> => {
  const records = scale.calls(latency === 0 ? 8_000 : 4_000)
  await using stack = new AsyncDisposableStack()
  // A server for each, so that what comes after its flush is not counted for another.
  const subjects = await Promise.all(
    peers.map(async (name) => ({
      name,
      server: stack.use(await startServer(latency)),
      worker: stack.use(startDelivery())
    }))
  )
  const measure = async ({ name, server, worker }: (typeof subjects)[number]): Promise<Round> => {
    await server.settled()
    const round = await worker.call("deliver", name, { url: server.url, concurrency: 1 }, records)
    return { ...round, arrived: (await server.settled()) / records }
  }
  for (const subject of subjects) await measure(subject)
  return {
    title: `Peers, which send many records in one request, to ${answersAfter(latency)}`,
    note: "By their own defaults of batch size and concurrency. `arrived` is the share that the server has seen when `flush` returns.",
    columns: [
      { title: "records/s", measure: "perSecond" },
      { title: "client CPU s per 1,000", measure: "cpu", digits: 3 },
      { title: "arrived", measure: "arrived", digits: 2 }
    ],
    samples: await interleave(subjects, scale.rounds(3), measure)
  }
}

const run = async (scale: Scale): Promise<Omit<Report, "suite">> => {
  const tables: Array<Table> = []
  for (const [latency, concurrencies, rounds] of [
    [0, [1, 4, 16, 64], 5],
    [5, [1, 16], 3],
    [50, [1, 16], 3]
  ] as const) {
    await using server = await startServer(latency)
    tables.push(await oneByOne(latency, concurrencies, rounds, scale, server), await batching(latency, scale))
  }
  const samples = tables[0]?.samples ?? []
  return {
    tables,
    charts: [
      {
        kind: "bars",
        name: "delivery-rate",
        title: "Delivered records per second at concurrency 16 (more is better)",
        bars: barsOf(samples, "perSecond16", 0)
      },
      {
        kind: "bars",
        name: "delivery-cpu",
        title: "Client CPU seconds per 1,000 records at concurrency 16 (less is better)",
        bars: barsOf(samples, "cpu16", 3)
      }
    ]
  }
}

export const delivery: Suite = { name: "delivery", run }
