/**
 * The embedded ledger over many records: its list, its searches and its dashboard.
 */
import { startWorker } from "../harness/Processes.ts"
import { barsOf, type Report } from "../harness/Report.ts"
import { interleave } from "../harness/Samples.ts"
import type { Scale, Suite } from "../harness/Suite.ts"

const run = async ({ calls, rounds }: Scale): Promise<Omit<Report, "suite">> => {
  await using worker = startWorker<typeof import("./pages.worker.ts")>(new URL("pages.worker.ts", import.meta.url))
  const total = calls(50_000)
  const last = await worker.call("fill", total)
  const list = "/api/xase/v1/records"
  const subjects = [
    { name: "list, first page", path: `${list}?limit=100` },
    { name: "list, last page", path: `${list}?limit=100&page=${total / 100}` },
    { name: "list, one policy", path: `${list}?limit=100&policyId=policy_7` },
    { name: "search for an id", path: `${list}?search=${last}` },
    { name: "search without a hit", path: `${list}?search=nothing_has_this` },
    { name: "dashboard", path: "/xase/records" },
    { name: "dashboard, one policy", path: "/xase/records?policy=policy_7" },
    { name: "dashboard, one outcome", path: "/xase/records?outcome=APPROVED" },
    { name: "dashboard, search", path: `/xase/records?search=${last}` },
    { name: "a record", path: `/xase/records/${last}` },
    { name: "verify", path: `/api/xase/v1/verify/${last}` }
  ]
  const samples = await interleave(subjects, rounds(15), ({ path }) => worker.call("visit", path))
  return {
    tables: [
      {
        title: `The embedded ledger with ${total.toLocaleString("en")} records`,
        note: "Milliseconds from the request to the end of the answer.",
        columns: [{ title: "ms", measure: "ms", digits: 1 }],
        samples
      }
    ],
    charts: [
      {
        kind: "bars",
        name: "pages",
        title: `Embedded ledger with ${total.toLocaleString("en")} records, ms (less is better)`,
        bars: barsOf(samples, "ms", 1)
      }
    ]
  }
}

export const pages: Suite = { name: "pages", run }
