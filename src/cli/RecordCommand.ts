/**
 * `xase record`: decisions from arguments, a file or standard input become evidence.
 */
import { createReadStream } from "node:fs"
import { createInterface } from "node:readline"
import * as Console from "effect/Console"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { Xase } from "../client/Xase.ts"
import type { Outcome } from "../delivery/Outcome.ts"
import { withClient, xase } from "./Connection.ts"
import { type BadLine, type ReadDecision, readLine } from "./DecisionLines.ts"
import { bold, CommandFailed, failed, green, json, progressBar, red, safe } from "./Output.ts"

type Line = Result.Result<ReadDecision, BadLine>

const file = Argument.String("file").pipe(
  Argument.withDescription("A file of JSON lines, one decision a line; - or nothing reads standard input"),
  Argument.optional
)

const flags = {
  policy: Flag.String("policy").pipe(
    Flag.withDescription("The policy that decided (one decision from flags)"),
    Flag.optional
  ),
  input: Flag.String("input").pipe(Flag.withDescription("What went in, as a JSON object"), Flag.optional),
  output: Flag.String("output").pipe(Flag.withDescription("What came out, as a JSON object"), Flag.optional),
  confidence: Flag.String("confidence").pipe(Flag.withDescription("0 to 1"), Flag.optional),
  transactionId: Flag.String("transaction-id").pipe(Flag.withDescription("Your own id of the decision"), Flag.optional),
  strict: Flag.Boolean("strict").pipe(
    Flag.withDescription("Record nothing if one line is malformed"),
    Flag.withDefault(false)
  )
}

/** How long the rest may take once everything is read; rate limits and outages are waited out until then. */
const patience = Duration.days(1)

const fromFlags = (given: {
  readonly policy: Option.Option<string>
  readonly input: Option.Option<string>
  readonly output: Option.Option<string>
  readonly confidence: Option.Option<string>
  readonly transactionId: Option.Option<string>
}): string | undefined => {
  const parts = [
    ...Option.toArray(Option.map(given.policy, (policy) => `"policy":${JSON.stringify(policy)}`)),
    ...Option.toArray(Option.map(given.input, (input) => `"input":${input}`)),
    ...Option.toArray(Option.map(given.output, (output) => `"output":${output}`)),
    ...Option.toArray(Option.map(given.confidence, (confidence) => `"confidence":${confidence}`)),
    ...Option.toArray(Option.map(given.transactionId, (id) => `"transactionId":${JSON.stringify(id)}`))
  ]
  return parts.length === 0 ? undefined : `{${parts.join(",")}}`
}

/** The lines of a file or of standard input, as they come. */
const linesOf = (path: Option.Option<string>): Stream.Stream<Line, CommandFailed> => {
  const isStandardInput = Option.isNone(path) || path.value === "-"
  const name = isStandardInput ? "standard input" : path.value
  return Stream.suspend(() => {
    const source = isStandardInput ? process.stdin : createReadStream(path.value)
    let number = 0
    return Stream.fromAsyncIterable(
      createInterface({ input: source, crlfDelay: Number.POSITIVE_INFINITY }),
      (cause) =>
        new CommandFailed({
          detail: `${safe(name)} cannot be read (${cause instanceof Error ? cause.message : cause})`
        })
    ).pipe(
      Stream.map((text) => readLine(text, ++number)),
      Stream.filter((line) => line !== undefined)
    )
  })
}

/** How many decisions there are to record, where that can be known before. */
const totalOf = (
  single: string | undefined,
  path: Option.Option<string>
): Effect.Effect<number | undefined, CommandFailed> => {
  if (single !== undefined) return Effect.succeed(1)
  return Option.isNone(path) || path.value === "-" ? Effect.succeed(undefined) : Stream.runCount(linesOf(path))
}

const describe = ({ line, problem }: BadLine): string => `line ${line}: ${safe(problem)}`

/** Records what is read and tells how each settled; the outcomes are counted while the reading goes on. */
const recordAll = Effect.fnUntraced(function* (
  lines: Stream.Stream<Line, CommandFailed>,
  total: number | undefined,
  asJson: boolean
) {
  const client = yield* Xase
  const bar = progressBar("recorded", total)
  const bad: Array<BadLine> = []
  let accepted = 0
  let delivered = 0
  const problems: Array<string> = []

  const note = (outcome: Outcome): Effect.Effect<void> => {
    if (outcome._tag === "Delivered") {
      delivered++
      return asJson
        ? json({
            recorded: outcome.receipt.transactionId,
            transactionId: outcome.transactionId,
            receipt: outcome.receipt
          })
        : bar(delivered)
    }
    problems.push(outcome._tag === "Failed" ? outcome.error.message : `dropped: ${outcome.reason}`)
    return Effect.void
  }
  const noting = yield* Effect.forkChild(Stream.runForEach(client.outcomes, note), { startImmediately: true })

  yield* Stream.runForEach(lines, (line) =>
    Result.isFailure(line)
      ? Effect.andThen(
          Effect.sync(() => bad.push(line.failure)),
          Console.error(red(describe(line.failure)))
        )
      : client.record(line.success.decision, line.success.options).pipe(
          Effect.tap(() => Effect.sync(() => accepted++)),
          Effect.catch((error) => {
            const problem = { line: line.success.line, problem: error.message }
            bad.push(problem)
            return Console.error(red(describe(problem)))
          })
        )
  )
  yield* Effect.mapError(client.flush(patience), failed)
  const joined = (yield* client.stats).joined
  while (delivered + problems.length < accepted - joined) yield* Effect.sleep(5)
  yield* Fiber.interrupt(noting)
  return { accepted, delivered: delivered + joined, bad, problems }
})

/** `xase record`: records one decision a line. */
export const record = Command.make("record", { file, ...flags }, ({ file, strict, ...given }) =>
  Effect.gen(function* () {
    const { json: asJson } = yield* xase
    const single = fromFlags(given)
    const lines =
      single === undefined
        ? linesOf(file)
        : Stream.fromIterable(Option.toArray(Option.fromUndefinedOr(readLine(single, 1))))
    const ready = strict ? Stream.fromIterable(yield* checkAll(lines)) : lines
    const { accepted, bad, delivered, problems } = yield* withClient(
      recordAll(ready, yield* totalOf(single, file), asJson)
    )
    for (const problem of new Set(problems)) yield* Console.error(red(safe(problem)))
    if (asJson) yield* json({ accepted, delivered, failed: problems.length, malformed: bad.length })
    else {
      yield* Console.log(
        `${green(bold(String(delivered)))} recorded${problems.length > 0 ? `, ${red(String(problems.length))} not recorded` : ""}${bad.length > 0 ? `, ${red(String(bad.length))} malformed` : ""}`
      )
    }
    if (bad.length + problems.length > 0) {
      const missing = bad.length + problems.length
      return yield* new CommandFailed({
        detail: `${missing} decision${missing === 1 ? " has" : "s have"} no evidence`
      })
    }
  })
).pipe(
  Command.withDescription("Record decisions from flags, a file or standard input"),
  Command.withExamples([
    {
      command: `xase record --policy credit_policy_v4 --input '{"score":720}' --output '{"approved":true}'`,
      description: "Record one decision"
    },
    { command: "xase record decisions.jsonl --strict", description: "Record a file, or nothing of it" },
    { command: "tail -f decisions.jsonl | xase record --json", description: "Record as decisions come" }
  ])
)

/** Reads everything first, so that nothing is recorded of input that is partly malformed. */
const checkAll = Effect.fnUntraced(function* (lines: Stream.Stream<Line, CommandFailed>) {
  const all = yield* Stream.runCollect(lines)
  const bad = all.filter(Result.isFailure)
  for (const line of bad) yield* Console.error(red(describe(line.failure)))
  if (bad.length > 0) {
    return yield* new CommandFailed({
      detail: `${bad.length} malformed line${bad.length === 1 ? "" : "s"}: nothing was recorded`
    })
  }
  return all
})
