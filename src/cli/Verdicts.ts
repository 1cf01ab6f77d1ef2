/**
 * How verdicts are shown.
 */
import * as Console from "effect/Console"
import type * as Effect from "effect/Effect"
import type { Verdict } from "../evidence/Verdict.ts"
import { bold, dim, green, red, safe, yellow } from "./Output.ts"

const marks = { valid: green("VALID"), invalid: red("INVALID"), indeterminate: yellow("NOT PROVEN") }

/** A verdict with its reasons, one below the other. */
export const printVerdict = (name: string, { missing, problems, proven, verdict }: Verdict): Effect.Effect<void> =>
  Console.log(
    [
      `${marks[verdict]}  ${safe(name)}`,
      ...problems.map(({ message, path, reason }) => `  ${red(reason)}  ${bold(safe(path))}  ${safe(message)}`),
      ...missing.map((what) => `  ${yellow("missing")}  ${safe(what)}`),
      ...proven.map((what) => dim(`  proven   ${safe(what)}`))
    ].join("\n")
  )
