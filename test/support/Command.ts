/**
 * The `xase` command as a process of its own.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const command = fileURLToPath(new URL("../../src/cli.ts", import.meta.url))

/** How the command ended. */
export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Starts the command with these variables beside those of the process, without its `XASE_*` settings. */
export const startCommand = (
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {}
): ChildProcess => {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("XASE_")))
  return spawn(process.execPath, [command, ...args], { env: { ...inherited, ...environment } })
}

/** Runs the command to its end. */
export const runCommand = async (
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {},
  input = ""
): Promise<Ended> => {
  const child = startCommand(args, environment)
  let out = ""
  let err = ""
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text
  })
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    err += text
  })
  child.stdin?.end(input)
  const [code] = await once(child, "close")
  return { code, out, err }
}
