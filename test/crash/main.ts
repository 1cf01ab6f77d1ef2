/**
 * The crash harness for people: `npm run test:crash`, or `npm run test:crash -- --rounds 20 sqlite redis`.
 */
import { join } from "node:path"
import { parseArgs } from "node:util"
import { type Engine, programs, startPostgres, startRedis, temporaryFolder } from "../support/Engines.ts"
import { crash } from "./harness.ts"

const { positionals, values } = parseArgs({
  options: { rounds: { type: "string", default: "200" } },
  allowPositionals: true
})

const withEngine = async <A>(engine: Engine, run: (url: string) => Promise<A>): Promise<A> => {
  try {
    return await run(engine.url)
  } finally {
    await engine[Symbol.asyncDispose]()
  }
}

const kinds: Record<string, (run: (url: string) => Promise<void>) => Promise<void>> = {
  sqlite: async (run) => {
    using folder = temporaryFolder()
    await run(`sqlite:${join(folder.path, "outbox.db")}`)
  },
  redis: async (run) => withEngine(await startRedis(programs.redis() ?? "redis-server"), run),
  postgres: async (run) => withEngine(await startPostgres(programs.postgres() ?? ""), run)
}

const rounds = Number(values.rounds)
const row = (cells: ReadonlyArray<string | number>): string =>
  cells.map((cell, column) => (column === 0 ? String(cell).padEnd(10) : String(cell).padStart(11))).join("")

console.log(row(["outbox", "rounds", "accepted", "delivered", "duplicates", "lost"]))
for (const name of positionals.length > 0 ? positionals : Object.keys(kinds)) {
  const run = kinds[name]
  if (run === undefined) throw new Error(`there is no outbox ${name}: use ${Object.keys(kinds).join(", ")}`)
  await run(async (url) => {
    const result = await crash(url, rounds, (round, accepted) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${name}: ${round} of ${rounds} rounds, ${accepted} accepted`)
    })
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")
    console.log(row([name, result.rounds, result.accepted, result.delivered, result.duplicates, result.lost]))
    if (result.duplicates + result.lost > 0) process.exitCode = 1
  })
}
