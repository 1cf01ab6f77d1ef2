/**
 * The second half of `npm run build`: the entry points that are used without Effect become files of their own, with all of
 * Effect that they need inside.
 *
 * A module costs Node about a millisecond to load, and the client needs 220 of them; as a few files it starts four times as
 * fast (`npm run bench -- start`). It also keeps plain TypeScript projects free of which Effect they have installed.
 */
import { readFileSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig, type Plugin } from "rolldown"

const dist = new URL("../dist/", import.meta.url)
const entries = ["promise", "verify"]

/** Loaded when they are needed, as separate packages that users update by themselves. */
const external = ["undici", "redis"]

/** The sources hide the driver from bundlers, since not everybody installs it; here it is inside. */
const withPostgresDriver: Plugin = {
  name: "postgres-driver",
  load: {
    filter: { id: /PostgresDriver\.js$/ },
    handler: () => 'export const loadDriver = () => import("@effect/sql-pg/PgClient")'
  }
}

const packageOf = (id: string): string | undefined => /.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0]

/** Whoever passes on somebody's code passes on their licence. */
const withLicences: Plugin = {
  name: "licences",
  generateBundle(_, bundle) {
    const chunks = Object.values(bundle).flatMap((output) => (output.type === "chunk" ? [output] : []))
    const folders = new Set(chunks.flatMap(({ moduleIds }) => moduleIds.flatMap((id) => packageOf(id) ?? [])))
    const texts = [...folders].sort().map((folder) => {
      const { name, version }: { name: string; version: string } = JSON.parse(
        readFileSync(`${folder}/package.json`, "utf8")
      )
      return `${name} ${version}\n\n${readFileSync(`${folder}/LICENSE`, "utf8").trim()}\n`
    })
    this.emitFile({ type: "asset", fileName: "standalone/LICENSES.txt", source: texts.join("\n\n") })
  }
}

/** What the modules were before, alone. */
const withoutLeftovers: Plugin = {
  name: "leftovers",
  writeBundle: () => {
    for (const entry of entries) rmSync(new URL(`${entry}.js.map`, dist))
  }
}

export default defineConfig({
  input: Object.fromEntries(entries.map((entry) => [entry, fileURLToPath(new URL(`${entry}.js`, dist))])),
  platform: "node",
  external: (id) => external.some((name) => id === name || id.startsWith(`${name}/`)),
  plugins: [withPostgresDriver, withLicences, withoutLeftovers],
  output: {
    dir: fileURLToPath(dist),
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "standalone/[name]-[hash].js",
    comments: { annotation: true, jsdoc: false, legal: false }
  }
})
