/**
 * A fleet on one machine: two producers that only store, two relays that deliver, one Redis between them.
 *
 * `npm run example:fleet` runs it against an embedded ledger, with a `redis-server` of its own (apt-get install redis-server,
 * brew install redis). On your own the three parts run on as many machines as you like: see "From one process to a fleet" in
 * the README.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { XaseClient } from "xase-sdk/promise"
import { readApplicants } from "./demo/applicants.ts"
import { decide, policy } from "./demo/credit-policy.ts"

const applicants = readApplicants().slice(0, 200)

/** A producer decides and stores; it never waits for the ledger. XASE_OUTBOX says where. */
const produce = async (part: number): Promise<void> => {
  const outbox = { url: process.env.XASE_OUTBOX ?? "", deliver: false }
  await using xase = new XaseClient({ outbox })
  for (const [index, applicant] of applicants.entries()) {
    if (index % 2 !== part) continue
    const { confidence, ...output } = decide(applicant)
    await xase.record({ policy: policy.name, input: { ...applicant }, output, confidence })
  }
  const { stored } = xase.getStats()
  console.log(`${stored} decisions stored, and done`)
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  if (address === null || typeof address === "string") throw new Error("no free port")
  return address.port
}

/** Starts Redis; every change is on the disk before it is answered, as evidence deserves. */
const startRedis = async (folder: string) => {
  const port = await freePort()
  const options = `--port ${port} --bind 127.0.0.1 --save --appendonly yes --appendfsync always --loglevel warning`
  const server = spawn("redis-server", [...options.split(" "), "--dir", folder], { stdio: "ignore" })
  server.once("error", () => {
    console.error("redis-server is not installed: apt-get install redis-server, or brew install redis")
    process.exit(1)
  })
  for (let attempt = 0; attempt < 200; attempt++) {
    const socket = connect(port, "127.0.0.1")
    const isThere = await once(socket, "connect").then(
      () => true,
      () => false
    )
    socket.destroy()
    if (isThere) break
    await sleep(25)
  }
  return { url: `redis://127.0.0.1:${port}`, server }
}

/** Starts a process and prints what it says under its name. */
const start = (name: string, file: string, args: ReadonlyArray<string>, url: string): ChildProcess => {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = spawn(process.execPath, [...process.execArgv, path, ...args], {
    env: { ...process.env, XASE_OUTBOX: url },
    stdio: ["ignore", "pipe", "inherit"]
  })
  createInterface({ input: child.stdout }).on("line", (line) => console.log(`${name}  ${line}`))
  return child
}

const countRecords = async (): Promise<number> => {
  const response = await fetch(`${process.env.XASE_BASE_URL}/records?limit=1`, {
    headers: { "x-api-key": process.env.XASE_API_KEY ?? "" }
  })
  return (await response.json()).pagination.total
}

const runFleet = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "xase-fleet-"))
  const { server, url } = await startRedis(folder)
  const producers = [0, 1].map((part) => start(`producer ${part + 1}`, "fleet.ts", [String(part)], url))
  const relays = [1, 2].map((n) => start(`relay ${n}   `, "../src/cli.ts", ["relay", "--workers", "2"], url))
  await Promise.all(producers.map((producer) => once(producer, "exit")))
  for (let waited = 0; waited < 300 && (await countRecords()) < applicants.length; waited++) await sleep(100)
  for (const relay of relays) relay.kill("SIGTERM")
  await Promise.all(relays.map((relay) => once(relay, "exit")))
  server.kill()
  await once(server, "exit")
  rmSync(folder, { recursive: true, force: true })
  const recorded = await countRecords()
  console.log(`${recorded} of ${applicants.length} decisions are in the ledger, each once`)
  if (recorded !== applicants.length) process.exitCode = 1
}

const part = process.argv[2]
await (part === undefined ? runFleet() : produce(Number(part)))
