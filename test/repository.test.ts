/**
 * What the repository promises around its sources: the files at its top, the lock file, the scripts, the versions.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { version } from "../src/Version.ts"
import { repository } from "./support/PackedPackage.ts"

const read = (path: string): string => readFileSync(join(repository, path), "utf8")

const manifest = JSON.parse(read("package.json"))

interface LockedPackage {
  readonly hasInstallScript?: boolean
  readonly resolved?: string
}

const locked: { readonly [path: string]: LockedPackage } = JSON.parse(read("package-lock.json")).packages

describe("repository", () => {
  it("keeps its top level for what a newcomer looks for", () => {
    const ignored = ["node_modules", "dist", "coverage"]
    const known = [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "examples",
      "package-lock.json",
      "package.json",
      "src",
      "test"
    ]
    const found = readdirSync(repository).filter((name) => !name.startsWith(".") && !ignored.includes(name))
    assert.deepStrictEqual(found.sort(), [...known, "tsconfig.json"].sort())
  })

  it("locks packages by their content, and by no registry's address", () => {
    assert.isFalse(existsSync(join(repository, ".npmrc")))
    assert.deepStrictEqual(
      Object.keys(locked).filter((path) => locked[path]?.resolved !== undefined),
      []
    )
    assert.notInclude(read("package-lock.json"), "https://registry")
  })

  it("approves the install scripts that there are, one by one", () => {
    const withScript = Object.keys(locked).filter((path) => locked[path]?.hasInstallScript === true)
    // fsevents is for macOS, optional, and works as it is unpacked.
    const needed = withScript.map((path) => path.replace(/^.*node_modules\//, "")).filter((name) => name !== "fsevents")
    assert.deepStrictEqual(Object.keys(manifest.allowScripts), needed)
  })

  it("tells one version everywhere", () => {
    assert.strictEqual(version, manifest.version)
    assert.match(read("CHANGELOG.md"), new RegExp(`^## \\[(Unreleased|${version.replaceAll(".", "\\.")})\\]`, "m"))
  })

  it("develops against the Effect that it asks of its users", () => {
    assert.strictEqual(manifest.devDependencies.effect, manifest.peerDependencies.effect)
    assert.notProperty(manifest.dependencies, "effect")
  })

  it("every script that the guide names is there", () => {
    const scripts = Object.keys(manifest.scripts)
    for (const [, name = ""] of read("README.md").matchAll(/npm run ([\w:-]+)/g)) {
      // `example:<name>` stands for every script that begins so.
      assert.isTrue(
        scripts.some((script) => (name.endsWith(":") ? script.startsWith(name) : script === name)),
        name
      )
    }
  })
})
