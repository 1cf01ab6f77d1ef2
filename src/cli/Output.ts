/**
 * How the `xase` command speaks: tables and colours for people, JSON for machines, and nothing that data can smuggle in.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/** Something is wrong with the evidence: exit code 1. */
export class EvidenceWrong extends Schema.TaggedError<EvidenceWrong>()("EvidenceWrong", { detail: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 1
  override get message() {
    return this.detail
  }
}

/** The command could not do its work (usage, settings, connection, files): exit code 2. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", { detail: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 2
  override get message() {
    return this.detail
  }
}

/** Turns any error with a message into {@link CommandFailed}. */
export const failed = (error: { readonly message: string }): CommandFailed =>
  new CommandFailed({ detail: error.message })

/**
 * Text from data, safe for a terminal: control characters, which could move the cursor or hide what follows, and
 * characters that reverse the direction of writing are shown as escapes.
 */
export const safe = (text: string): string =>
  text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

/** Whether standard output is a terminal that wants colours (https://no-color.org). */
const hasColours = (): boolean => process.stdout.isTTY === true && (process.env.NO_COLOR ?? "") === ""

const coloured =
  (code: number) =>
  (text: string): string =>
    hasColours() ? `\u001b[${code}m${text}\u001b[0m` : text

/** Headings and names. */
export const bold = coloured(1)

/** What is said in passing. */
export const dim = coloured(2)

/** What is wrong. */
export const red = coloured(31)

/** What is proven. */
export const green = coloured(32)

/** What needs a look. */
export const yellow = coloured(33)

/** One JSON value on a line of its own. */
export const json = (value: unknown): Effect.Effect<void> => Console.log(JSON.stringify(value))

// Colours take no room on the screen.
const widthOf = (text: string): number => text.replace(/\u001b\[\d+m/g, "").length

/** A table with a heading; cells are made safe by whoever fills them. */
export const table = (
  headings: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>
): Effect.Effect<void> => {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => widthOf(row[column] ?? "")))
  )
  const line = (cells: ReadonlyArray<string>): string =>
    cells
      .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))))
      .join("  ")
      .trimEnd()
  return Console.log([dim(line(headings)), ...rows.map(line)].join("\n"))
}

/** Names and values below each other. */
export const fields = (pairs: ReadonlyArray<readonly [name: string, value: string]>): Effect.Effect<void> => {
  const width = Math.max(...pairs.map(([name]) => name.length))
  return Console.log(pairs.map(([name, value]) => `  ${dim(name.padEnd(width))}  ${value}`).join("\n"))
}

/** A bar on standard error that is drawn in place, on a terminal only; a counter where the total is not known. */
export const progressBar = (label: string, total: number | undefined): ((done: number) => Effect.Effect<void>) => {
  const width = 30
  let shown = ""
  return (done) =>
    Effect.sync(() => {
      if (process.stderr.isTTY !== true) return
      const full = total === undefined ? 0 : Math.round((done / Math.max(1, total)) * width)
      const text =
        total === undefined
          ? `${label} ${done}`
          : `${label} ${"█".repeat(full)}${"░".repeat(width - full)} ${done}/${total}`
      if (text === shown) return
      shown = text
      process.stderr.write(`\r${text}${done === total ? "\n" : ""}`)
    })
}
