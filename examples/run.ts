/**
 * Runs an example against an embedded ledger: `node examples/run.ts basic`.
 *
 * The example is a process of its own that finds the ledger through XASE_API_KEY and XASE_BASE_URL, as in production.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { startLedger } from "xase-sdk/ledger-server"

const name = process.argv[2] ?? "basic"

await using ledger = await startLedger({ rateLimit: "unlimited" })

const example = spawn(process.execPath, [...process.execArgv, fileURLToPath(new URL(`${name}.ts`, import.meta.url))], {
  env: { ...process.env, XASE_API_KEY: ledger.apiKey, XASE_BASE_URL: ledger.baseUrl, PORT: "0" },
  stdio: ["ignore", "pipe", "inherit"]
})
const exit = once(example, "exit")

for await (const line of createInterface({ input: example.stdout })) {
  console.log(line)
  const port = /^listening on (\d+)$/.exec(line)?.[1]
  if (port === undefined) continue
  for (const creditScore of [720, 580, 810]) {
    const body = JSON.stringify({ creditScore })
    const response = await fetch(`http://127.0.0.1:${port}`, { method: "POST", body })
    console.log(`asked with ${body}: ${await response.text()}`)
  }
  example.kill("SIGTERM")
}

const [code] = await exit
process.exitCode = code ?? 1
