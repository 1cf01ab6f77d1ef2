/**
 * Every TypeScript snippet of the README compiles as a program of its own, and its claims that can be checked are.
 */
import { execFile, execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as XaseErrors from "../src/XaseError.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const readme = readFileSync(join(root, "README.md"), "utf8")

const snippets = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? "")

/** What the snippets take for granted. */
const prelude = `declare global {
  const input: object
  const output: object
}
export {}
`

describe("README", () => {
  it.live("every snippet compiles", () =>
    Effect.gen(function* () {
      assert.isAbove(snippets.length, 8)
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(root, "test", "readme-snippets-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      writeFileSync(join(folder, "prelude.d.ts"), prelude)
      for (const [index, snippet] of snippets.entries()) writeFileSync(join(folder, `snippet-${index}.ts`), snippet)
      writeFileSync(
        join(folder, "tsconfig.json"),
        JSON.stringify({
          extends: "../../tsconfig.json",
          compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
          include: ["."]
        })
      )
      const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
      const result = yield* Effect.promise(() =>
        promisify(execFile)(process.execPath, [tsc, "-p", folder]).then(
          () => "",
          (error: { stdout: string }) => error.stdout
        )
      )
      assert.strictEqual(result, "")
    })
  )

  it("the check by hand works when typed as printed", () => {
    const [, block = ""] = /### By hand[\s\S]*?```sh\n([\s\S]*?)```/.exec(readme) ?? []
    const expected = [...block.matchAll(/^# (.*)$/gm)].map(([, line]) => line)
    assert.strictEqual(expected.length, 3)
    assert.deepStrictEqual(execFileSync("bash", ["-c", block], { encoding: "utf8" }).trim().split("\n"), expected)
  })

  it("shows of its performance what the report of the benchmarks says", () => {
    const report = readFileSync(join(root, "test", "bench", "results", "report.md"), "utf8")
    const [, chapter = ""] = /## Performance\n([\s\S]*?)\n## /.exec(readme) ?? []
    const rows = [...chapter.matchAll(/^\| (?!---)([^|]+) \|(.*)\|$/gm)].filter(([, name = ""]) => name.trim() !== "")
    assert.isAbove(rows.length, 20)
    const lines = report.split("\n")
    for (const [row, name = "", cells = ""] of rows) {
      // A row here may leave columns of the report out, but it invents none.
      const isShown = lines.some(
        (line) =>
          line.startsWith(`| ${name.trim()} |`) &&
          cells.split("|").every((cell) => line.split("|").some((found) => found.trim() === cell.trim()))
      )
      assert.isTrue(isShown, row)
    }
  })

  it("names every error tag and code that the SDK has", () => {
    for (const [name, value] of Object.entries(XaseErrors)) {
      if (typeof value === "function" && value.prototype instanceof Error) assert.include(readme, `\`${name}`, name)
    }
  })

  it("every link to a file of the repository leads somewhere, every anchor to a heading", () => {
    const headings = [...readme.matchAll(/^#+ (.*)$/gm)].map((match) =>
      (match[1] ?? "")
        .toLowerCase()
        .replace(/[^\w\s-]/g, "")
        .replaceAll(" ", "-")
    )
    for (const [, target = ""] of readme.matchAll(/\]\(([^)]+)\)/g)) {
      if (target.startsWith("http")) continue
      if (target.startsWith("#")) assert.include(headings, target.slice(1))
      else assert.doesNotThrow(() => readFileSync(join(root, target)), target)
    }
  })
})
