/**
 * `npm run bench`: all suites. `npm run bench -- record delivery --quick --out folder`: some, in short rounds, to a folder.
 */
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Report from "./harness/Report.ts"
import { full, quick } from "./harness/Suite.ts"
import { suites } from "./suites/index.ts"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    out: { type: "string", default: fileURLToPath(new URL(".bench", import.meta.url)) }
  }
})
const names = suites.map(({ name }) => name)
const unknown = positionals.filter((name) => !names.includes(name))
if (unknown.length > 0) throw new Error(`no such suite: ${unknown.join(", ")}; there are ${names.join(", ")}`)

// The client is measured as it is published.
execFileSync("npm", ["run", "build"], { cwd: fileURLToPath(new URL("../..", import.meta.url)), stdio: "ignore" })

const reports: Array<Report.Report> = []
for (const { name, run } of suites) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  const started = performance.now()
  reports.push({ suite: name, ...(await run(values.quick ? quick : full)) })
  console.error(`${name}: ${Math.round((performance.now() - started) / 1_000)} s`)
}
console.log(Report.write(reports, values.out))
console.error(`written to ${values.out}`)
