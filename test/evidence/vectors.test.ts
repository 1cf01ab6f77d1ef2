/**
 * The published vectors, under both verifiers: ours, and the independent one in plain Python.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { parseTrustPolicy, readBundle, type Verdict, verifyBundle, verifyReport } from "../../src/verify.ts"

interface Case {
  readonly name: string
  readonly verdict: Verdict["verdict"]
  readonly path?: string
}

interface Vectors {
  readonly bundles: ReadonlyArray<Case & { readonly zip: string; readonly trust: unknown }>
  readonly reports: ReadonlyArray<Case & { readonly report: unknown }>
}

const pathOf = (name: string): string => fileURLToPath(new URL(`../vectors/${name}`, import.meta.url))

const vectors: Vectors = JSON.parse(readFileSync(pathOf("evidence-vectors.json"), "utf8"))

const expectCase = ({ path, verdict }: Case, found: Verdict): void => {
  assert.strictEqual(found.verdict, verdict, found.sentence)
  if (path === undefined) return
  assert.include(
    found.problems.map((problem) => problem.path),
    path
  )
}

describe("our verifier", () => {
  it("knows enough cases", () => {
    assert.isAtLeast(vectors.bundles.length, 20)
    assert.isAtLeast(vectors.reports.length, 10)
  })

  it.each(vectors.bundles)("bundle: $name", async (bundleCase) => {
    const { bundle, problem } = readBundle(new Uint8Array(Buffer.from(bundleCase.zip, "base64")))
    const { policy, problems } = parseTrustPolicy(bundleCase.trust)
    if (bundle === undefined) return assert.fail(problem.message)
    assert.isUndefined(problems)
    expectCase(bundleCase, await verifyBundle(bundle, { policy }))
  })

  it.each(vectors.reports)("report: $name", (reportCase) => expectCase(reportCase, verifyReport(reportCase.report)))
})

describe("the independent verifier (Python, standard library)", () => {
  const verifier = fileURLToPath(new URL("../../examples/auditor/verify.py", import.meta.url))

  it("says the same of every vector", () => {
    const files = ["evidence-vectors.json", "hash-vectors.json"].map(pathOf)
    const said = execFileSync("python3", [verifier, "vectors", ...files], { encoding: "utf8" })
    assert.match(said.trim(), /^\d{3} cases, 0 disagreements$/)
  })

  it("notices when a vector is not what it says", () => {
    const wrong = { ...vectors, bundles: vectors.bundles.slice(0, 1).map((one) => ({ ...one, verdict: "invalid" })) }
    const folder = mkdtempSync(join(tmpdir(), "xase-vectors-"))
    const file = join(folder, "wrong.json")
    writeFileSync(file, JSON.stringify(wrong))
    const { status, stdout } = spawnSync("python3", [verifier, "vectors", file], { encoding: "utf8" })
    rmSync(folder, { recursive: true })
    assert.strictEqual(status, 1)
    assert.match(stdout, /bundle whole 0: valid[\s\S]* 1 disagreements$/m)
  })
})
