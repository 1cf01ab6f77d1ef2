/**
 * What a client holds: at rest, with records that wait, and after they have gone.
 */
import { startServer, startWorker } from "../harness/Processes.ts"
import { barsOf, type Report } from "../harness/Report.ts"
import { interleave, type Round } from "../harness/Samples.ts"
import type { Scale, Suite } from "../harness/Suite.ts"
import { peers, type SubjectName } from "../subjects/index.ts"

const subjects: ReadonlyArray<SubjectName> = ["XaseClient", "Xase (Effect)", ...peers]

/** The modules of Effect without which neither face can be. */
const effect = ["Effect", "Layer", "ManagedRuntime", "Queue", "Schema", "Stream"].map((name) => `effect/${name}`)

const isOurs = (name: SubjectName): boolean => name.startsWith("Xase")

const startMemory = () => startWorker<typeof import("./memory.worker.ts")>(new URL("memory.worker.ts", import.meta.url))

/** What those take in a process of their own: a client may have them inside. */
const sizeOfEffect = async (): Promise<number> => {
  await using worker = startMemory()
  const empty = await worker.call("load", [])
  return (await worker.call("load", effect)) - empty
}

const measure = async (name: SubjectName, counts: ReadonlyArray<number>): Promise<Round> => {
  const round: Record<string, number> = {}
  const effectSize = isOurs(name) ? await sizeOfEffect() : undefined
  for (const count of counts) {
    await using server = await startServer()
    await using worker = startMemory()
    const empty = await worker.call("load", [])
    const base = await worker.call("open", name, server.url)
    // What is loaded, compiled and connected by the first records is no cost of those that wait.
    await worker.call("record", 200)
    const working = await worker.call("drain")
    server.hold()
    const queued = await worker.call("record", count)
    server.release()
    const drained = await worker.call("drain")
    round.base = base - empty
    if (effectSize !== undefined) round.overEffect = base - empty - effectSize
    round.working = working - base
    round[`queued${count}`] = queued - working
    round[`drained${count}`] = drained - working
  }
  return round
}

const run = async ({ calls, rounds }: Scale): Promise<Omit<Report, "suite">> => {
  const [few, many] = [calls(10_000), calls(100_000)]
  const samples = await interleave(
    subjects.map((name) => ({ name })),
    rounds(2),
    // A peer that sends every batch at once would open thousands of sockets for the larger number.
    ({ name }) => measure(name, isOurs(name) ? [few, many] : [few])
  )
  const digits = 1
  return {
    tables: [
      {
        title: "Heap in MB, after garbage collection",
        note: "Base: an open client with nothing sent, over an empty process and over one that has loaded the modules of Effect that a client needs (less than nothing where it has only parts of them inside). First 200: what delivering them adds and leaves, at concurrency 16: modules, compiled code, connections. Queued: what so many waiting records of 1 KB then add, while the server answers nothing. Drained: what is left of that when all are delivered.",
        columns: [
          { title: "base", measure: "base", digits },
          { title: "base over effect", measure: "overEffect", digits },
          { title: "first 200", measure: "working", digits },
          { title: `${few.toLocaleString("en")} queued`, measure: `queued${few}`, digits },
          { title: "drained", measure: `drained${few}`, digits },
          { title: `${many.toLocaleString("en")} queued`, measure: `queued${many}`, digits },
          { title: "drained", measure: `drained${many}`, digits }
        ],
        samples
      }
    ],
    charts: [
      {
        kind: "bars",
        name: "memory-queued",
        title: `Heap added by ${few.toLocaleString("en")} queued records of 1 KB, MB (less is better)`,
        bars: barsOf(samples, `queued${few}`, digits)
      }
    ]
  }
}

export const memory: Suite = { name: "memory", run }
