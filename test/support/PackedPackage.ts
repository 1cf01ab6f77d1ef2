/**
 * The package as npm would publish it, unpacked into a project that has its declared dependencies and nothing else.
 *
 * The dependencies are links to those of this repository, so that nothing is fetched; one that is imported but not declared
 * is missing here as it would be at a user's.
 */
import { type ExecFileException, execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** The folder of this repository. */
export const repository: string = fileURLToPath(new URL("../..", import.meta.url))

/** A program of a development dependency, to be run by Node. */
export const tool = (...path: ReadonlyArray<string>): string => join(repository, "node_modules", ...path)

/** How a process ended and what it printed. */
export interface Ended {
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, which must come within a minute. Answers also when it fails. */
export const run = (
  command: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}
): Promise<Ended> =>
  new Promise((resolve) => {
    const ended = (error: ExecFileException | null, stdout: string, stderr: string): void =>
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? "killed"), stdout, stderr })
    execFile(command, args, { cwd: repository, timeout: 60_000, maxBuffer: 2 ** 26, ...options }, ended)
  })

/** Runs Node on `args` to its end. */
export const runNode = (
  args: ReadonlyArray<string>,
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}
): Promise<Ended> => run(process.execPath, args, options)

/** The fields of `package.json` that the tests look at. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly exports: { readonly [entry: string]: string | { readonly [condition: string]: string } }
  readonly bin: { readonly [name: string]: string }
  readonly dependencies: { readonly [name: string]: string }
  readonly peerDependencies: { readonly [name: string]: string }
  readonly peerDependenciesMeta?: { readonly [name: string]: { readonly optional?: boolean } }
  readonly engines: { readonly node: string }
}

/** See the module. */
export interface PackedPackage {
  readonly tarball: string
  readonly manifest: Manifest
  /** What the tarball holds, sorted. */
  readonly files: ReadonlyArray<string>
  /** The module names that users may import: `xase-sdk`, `xase-sdk/promise`... */
  readonly entries: ReadonlyArray<string>
  /** The project that uses the package. */
  readonly project: string
  /** The package in that project. */
  readonly installed: string
  /** Writes a file of the project and answers its path. */
  readonly write: (name: string, text: string) => string
  readonly remove: () => void
}

const npm = (args: ReadonlyArray<string>): Promise<Ended> => {
  const { npm_execpath: script } = process.env
  return script?.endsWith(".js") === true ? runNode([script, ...args]) : run("npm", args)
}

const succeeded = ({ code, stderr, stdout }: Ended): string => {
  if (code !== 0) throw new Error(`${stdout}\n${stderr}`)
  return stdout
}

/** Builds and packs as a release does, and sets the project up. */
export const pack = async (): Promise<PackedPackage> => {
  const project = realpathSync(mkdtempSync(join(tmpdir(), "xase-package-")))
  succeeded(await npm(["pack", "--silent", "--pack-destination", project]))
  const manifest: Manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"))
  const tarball = join(project, `${manifest.name}-${manifest.version}.tgz`)
  const files = succeeded(await run("tar", ["-tzf", tarball]))
    .trim()
    .split("\n")
    .map((path) => path.replace(/^package\//, ""))
    .sort()

  const installed = join(project, "node_modules", manifest.name)
  mkdirSync(installed, { recursive: true })
  succeeded(await run("tar", ["-xzf", tarball, "-C", installed, "--strip-components", "1"]))
  const names = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
  // What is optional is not there unless somebody installs it.
  const isOptional = (name: string): boolean => manifest.peerDependenciesMeta?.[name]?.optional === true
  for (const name of [...names.filter((name) => !isOptional(name)), "@types/node"]) {
    const link = join(project, "node_modules", name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(tool(name), link, "junction")
  }

  const write = (name: string, text: string): string => {
    const path = join(project, name)
    writeFileSync(path, text)
    return path
  }
  write("package.json", JSON.stringify({ name: "consumer", private: true, type: "module" }))
  return {
    tarball,
    manifest,
    files,
    entries: Object.keys(manifest.exports)
      .filter((entry) => !entry.endsWith(".json"))
      .map((entry) => manifest.name + entry.slice(1)),
    project,
    installed,
    write,
    remove: () => rmSync(project, { recursive: true, force: true })
  }
}
