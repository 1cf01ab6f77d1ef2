/**
 * Verification: how many records a second, of each kind of evidence.
 */
import { startWorker } from "../harness/Processes.ts"
import { barsOf, type Report } from "../harness/Report.ts"
import { interleave } from "../harness/Samples.ts"
import type { Scale, Suite } from "../harness/Suite.ts"

const kinds = [
  { name: "records: hash, fields, predecessor", what: "records", count: 20_000 },
  { name: "a ledger's chain", what: "walk", count: 100_000 },
  { name: "a producer's chain", what: "producer", count: 100_000 },
  { name: "proof bundles: payload, commitment, RSA signature", what: "bundles", count: 1_000 }
]

const run = async ({ calls, rounds }: Scale): Promise<Omit<Report, "suite">> => {
  const samples = await interleave(kinds, rounds(5), async ({ count, what }) => {
    await using worker = startWorker<typeof import("./verification.worker.ts")>(
      new URL("verification.worker.ts", import.meta.url)
    )
    return await worker.call("measure", what, calls(count))
  })
  return {
    tables: [
      {
        title: "Verified a second",
        note: "In one thread, without a network; what each needs is at hand.",
        columns: [{ title: "per second", measure: "perSecond", digits: 0 }],
        samples
      }
    ],
    charts: [
      {
        kind: "bars",
        name: "verification",
        title: "Verified a second (more is better)",
        bars: barsOf(samples, "perSecond", 0)
      }
    ]
  }
}

export const verification: Suite = { name: "verification", run }
