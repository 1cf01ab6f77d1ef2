/**
 * What it costs to have the SDK: the time of a cold import, the time to the first receipt, the size of a bundle.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { type OutputChunk, rolldown } from "rolldown"
import { startServer, startWorker } from "../harness/Processes.ts"
import { barsOf, type Report, type Table } from "../harness/Report.ts"
import { interleave, type Samples } from "../harness/Samples.ts"
import type { Scale, Suite } from "../harness/Suite.ts"

const repository = fileURLToPath(new URL("../../..", import.meta.url))

const manifest: { readonly name: string; readonly exports: { readonly [entry: string]: unknown } } = JSON.parse(
  readFileSync(`${repository}package.json`, "utf8")
)

/** The modules that users import: `xase-sdk`, `xase-sdk/promise`... */
const entries = Object.keys(manifest.exports)
  .filter((entry) => !entry.endsWith(".json"))
  .map((entry) => manifest.name + entry.slice(1))

const peers: ReadonlyArray<readonly [name: string, modules: ReadonlyArray<string>]> = [
  ["posthog-node", ["posthog-node"]],
  ["segment", ["@segment/analytics-node"]],
  ["langfuse 3", ["langfuse"]],
  ["OpenTelemetry logs", ["@opentelemetry/sdk-logs", "@opentelemetry/exporter-logs-otlp-http"]],
  ["pino", ["pino"]]
]

const subjects = [
  ...entries.map((entry) => ({ name: entry, modules: [entry] })),
  { name: "effect", modules: ["effect"] },
  ...peers.map(([name, modules]) => ({ name, modules }))
]

const startStart = () => startWorker<typeof import("./start.worker.ts")>(new URL("start.worker.ts", import.meta.url))

const imports = async ({ rounds }: Scale): Promise<Table> => {
  await using server = await startServer()
  const first = { name: "xase-sdk/promise, to its first receipt", modules: [] }
  const samples = await interleave([...subjects, first], rounds(9), async (subject) => {
    await using worker = startStart()
    return await (subject === first ? worker.call("firstReceipt", server.url) : worker.call("load", subject.modules))
  })
  return {
    title: "Cold import, in a process that has loaded nothing else",
    note: "In milliseconds, from the build. The first receipt: import, make a client, record, and have the receipt back.",
    columns: [
      { title: "import ms", measure: "import" },
      { title: "to the first receipt ms", measure: "firstReceipt" }
    ],
    samples
  }
}

const gzipped = (chunks: ReadonlyArray<OutputChunk>): number =>
  chunks.reduce((sum, { code }) => sum + gzipSync(code).length, 0) / 1_000

/** The chunks that a module needs before it runs, without those that it loads when they are needed. */
const loadedAtOnce = (chunks: ReadonlyArray<OutputChunk>): ReadonlyArray<OutputChunk> => {
  const needed = new Set<string>()
  const add = (fileName: string): void => {
    const chunk = chunks.find((each) => each.fileName === fileName)
    if (chunk === undefined || needed.has(fileName)) return
    needed.add(fileName)
    chunk.imports.forEach(add)
  }
  for (const { fileName, isEntry } of chunks) if (isEntry) add(fileName)
  return chunks.filter(({ fileName }) => needed.has(fileName))
}

const bundle = async (modules: ReadonlyArray<string>, external: ReadonlyArray<RegExp>) => {
  const program = "bundle-entry"
  const build = await rolldown({
    input: program,
    cwd: repository,
    platform: "node",
    external: [...external],
    onwarn: () => {},
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === program ? `${repository}test/bench/${program}.mjs` : undefined),
        // Everything is used and nothing shaken away: what a user takes of it is not ours to say.
        load: (id) =>
          id.endsWith(`${program}.mjs`)
            ? modules.map((module, n) => `export * as m${n} from ${JSON.stringify(module)}`).join("\n")
            : undefined
      }
    ]
  })
  const { output } = await build.generate({ format: "esm", minify: true })
  await build.close()
  const chunks = output.filter((chunk) => chunk.type === "chunk")
  return { all: gzipped(chunks), atOnce: gzipped(loadedAtOnce(chunks)) }
}

const sizes = async (): Promise<Table> => {
  const samples: Array<Samples> = []
  for (const { modules, name } of subjects) {
    const { all, atOnce } = await bundle(modules, [])
    const withoutEffect = name.startsWith(manifest.name)
      ? { withoutEffect: (await bundle(modules, [/^effect($|\/)/])).atOnce }
      : {}
    samples.push({ subject: name, rounds: [{ atOnce, all, ...withoutEffect }] })
  }
  return {
    title: "Bundle, minified and gzipped, with everything that the entry point exports",
    note: "In kB, by rolldown for Node. At once: without the chunks that are loaded when they are needed, such as undici.",
    columns: [
      { title: "at once kB", measure: "atOnce", digits: 1 },
      { title: "all kB", measure: "all", digits: 1 },
      { title: "at once, effect left out kB", measure: "withoutEffect", digits: 1 }
    ],
    samples
  }
}

const run = async (scale: Scale): Promise<Omit<Report, "suite">> => {
  const [cold, size] = [await imports(scale), await sizes()]
  return {
    tables: [cold, size],
    charts: [
      {
        kind: "bars",
        name: "start-import",
        title: "Cold import, ms (less is better)",
        bars: barsOf(
          cold.samples.filter(({ rounds }) => rounds.every((round) => round.firstReceipt === undefined)),
          "import",
          0
        )
      },
      {
        kind: "bars",
        name: "start-bundle",
        title: "Bundle loaded at once, kB minified and gzipped (less is better)",
        bars: barsOf(size.samples, "atOnce", 1)
      }
    ]
  }
}

export const start: Suite = { name: "start", run }
