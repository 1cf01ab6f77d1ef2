/**
 * `xase audit`: walks a whole ledger and writes what it found, for machines and for people.
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Journal } from "../delivery/Journal.ts"
import * as Report from "../evidence/Report.ts"
import { Ledger } from "../ledger/Ledger.ts"
import { XaseConfig } from "../settings/XaseConfig.ts"
import { type AuditState, open as openState } from "./audit/AuditState.ts"
import { type AuditFindings, conclusions, walk } from "./audit/LedgerAudit.ts"
import { pageEnd, pageRecords, pageStart } from "./audit/ReportPage.ts"
import { bundleOf, download, trustPolicy } from "./Bundles.ts"
import { withJournal, xase } from "./Connection.ts"
import {
  bold,
  CommandFailed,
  dim,
  EvidenceWrong,
  fields,
  green,
  json,
  progressBar,
  red,
  safe,
  yellow
} from "./Output.ts"

/** More problems than this are counted, not listed. */
const maxProblems = 10_000

const summaryOf = (
  state: AuditState,
  { problems: ofTheWhole, producers }: AuditFindings,
  ledger: string,
  createdAt: string
): Report.ReportSummary => {
  const counts = { records: state.walk().records, ...state.counts() }
  const problems = [...state.problems(maxProblems), ...ofTheWhole].slice(0, maxProblems)
  const { head } = state.walk()
  const verdict = problems.length > 0 ? "invalid" : counts.records > counts.valid ? "indeterminate" : "valid"
  const sentences = {
    valid: `All ${counts.records} records are proven: each is made of what was sent, and they are one chain.`,
    indeterminate: `Nothing is wrong with the ${counts.records} records, but ${counts.indeterminate} of them are not proven in all points.`,
    invalid: `The evidence is not whole: ${problems[0]?.message}${problems.length > 1 ? ` (and ${problems.length - 1} more)` : ""}`
  }
  return {
    format: Report.format,
    version: Report.version,
    createdAt,
    ledger,
    verdict: counts.records === 0 && problems.length === 0 ? "indeterminate" : verdict,
    sentence: counts.records === 0 && problems.length === 0 ? "The ledger has no records." : sentences[verdict],
    counts,
    head: head === undefined ? null : { transactionId: head.transactionId, recordHash: head.recordHash },
    problems,
    missing: state.missing(),
    producers: producers.map(({ commitments, producer, verdict: ofProducer }) => ({
      producer,
      commitments,
      sentence: ofProducer.sentence
    }))
  }
}

/** Writes a file piece by piece: the records of a large ledger are never in memory together. */
const writePieces = (path: string, pieces: Iterable<string>): void => {
  const file = openSync(path, "w", 0o600)
  try {
    for (const piece of pieces) writeSync(file, piece)
  } finally {
    closeSync(file)
  }
}

function* jsonPieces(summary: Report.ReportSummary, state: AuditState): Generator<string> {
  yield `${JSON.stringify(summary).slice(0, -1)},"records":[`
  let isFirst = true
  for (const records of state.records()) {
    const text = records.map((record) => JSON.stringify(record)).join(",\n")
    yield isFirst ? text : `,\n${text}`
    isFirst = false
  }
  yield "]}\n"
}

function* pagePieces(summary: Report.ReportSummary, state: AuditState): Generator<string> {
  yield pageStart(summary)
  for (const records of state.records()) yield pageRecords(records)
  yield pageEnd
}

const files = (folder: string) => ({
  state: join(folder, "audit-state.db"),
  json: join(folder, "audit-report.json"),
  html: join(folder, "audit-report.html")
})

const openedState = (folder: string, restart: boolean) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        mkdirSync(folder, { recursive: true, mode: 0o700 })
        return openState(files(folder).state, restart)
      },
      catch: (cause) =>
        new CommandFailed({
          detail: `${folder} cannot be used (${cause instanceof Error ? cause.message : String(cause)}): give another --out`
        })
    }),
    (state) => Effect.sync(state.close)
  )

const marks = { valid: green, invalid: red, indeterminate: yellow }

const shownProblems = 20

const print = Effect.fnUntraced(function* (summary: Report.ReportSummary, folder: string, rate: number) {
  const { counts, problems } = summary
  yield* Console.log(`\n${marks[summary.verdict](bold(summary.verdict.toUpperCase()))}  ${safe(summary.sentence)}\n`)
  for (const { message, path, reason, transactionId } of problems.slice(0, shownProblems)) {
    yield* Console.log(`  ${red(reason)}  ${safe(transactionId ?? "")}  ${bold(safe(path))}  ${safe(message)}`)
  }
  if (problems.length > shownProblems) yield* Console.log(dim(`  and ${problems.length - shownProblems} more`))
  for (const { records, what } of summary.missing) {
    yield* Console.log(`  ${yellow("missing")}  ${records} record${records === 1 ? "" : "s"}  ${safe(what)}`)
  }
  yield* Console.log("")
  yield* fields([
    [
      "records",
      `${counts.records}: ${counts.valid} valid, ${counts.invalid} invalid, ${counts.indeterminate} not proven`
    ],
    ["head", summary.head === null ? "none" : safe(summary.head.recordHash)],
    ["producers", String(summary.producers.length)],
    ["rate", `${rate} records/s`],
    ["report", `${files(folder).html}, ${files(folder).json}`]
  ])
})

/** `xase audit`: checks every record of a ledger and writes a report. */
export const audit = Command.make(
  "audit",
  {
    out: Flag.String("out").pipe(
      Flag.withDescription("The folder for the report and the state"),
      Flag.withDefault("xase-audit")
    ),
    payloads: Flag.Boolean("payloads").pipe(
      Flag.withDescription("Fetch each record's proof bundle and verify payload, commitment and signatures"),
      Flag.withDefault(false)
    ),
    trust: Flag.String("trust").pipe(Flag.withDescription("A trust policy file, for --payloads"), Flag.optional),
    concurrency: Flag.Int("concurrency").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 64 }))),
      Flag.withDescription("Requests in flight"),
      Flag.withDefault(8)
    ),
    restart: Flag.Boolean("restart").pipe(
      Flag.withDescription("Begin anew instead of going on where an interrupted audit ended"),
      Flag.withDefault(false)
    )
  },
  ({ concurrency, out, payloads, restart, trust }) =>
    Effect.gen(function* () {
      const { json: asJson } = yield* xase
      const policy = Option.isSome(trust) ? yield* trustPolicy(trust.value) : undefined
      const summary = yield* Effect.scoped(
        Effect.gen(function* () {
          const config = yield* XaseConfig
          const journal = yield* Journal
          const state = yield* openedState(out, restart)
          const startedAt = yield* Clock.currentTimeMillis
          const before = state.walk().records
          const beginning = state.began({ at: startedAt, knownHead: journal.head() })
          let bar: ReturnType<typeof progressBar> | undefined
          const ofList = yield* walk({
            ledger: yield* Ledger,
            journal,
            state,
            policy,
            concurrency,
            bundleOf: payloads
              ? (id) => Effect.flatMap(download(config, id), (bytes) => bundleOf(bytes, `the bundle of ${id}`))
              : undefined,
            onProgress: (done, total) => {
              bar ??= progressBar("audited", total)
              return bar(done)
            }
          })
          const endedAt = yield* Clock.currentTimeMillis
          const found = summaryOf(
            state,
            conclusions({ journal, state }, beginning, ofList),
            config.baseUrl,
            new Date(endedAt).toISOString()
          )
          yield* Effect.try({
            try: () => {
              writePieces(files(out).json, jsonPieces(found, state))
              writePieces(files(out).html, pagePieces(found, state))
            },
            catch: (cause) => new CommandFailed({ detail: `the report cannot be written: ${String(cause)}` })
          })
          const seconds = (endedAt - startedAt) / 1_000
          const rate = Math.round((found.counts.records - before) / Math.max(seconds, 0.001))
          yield* asJson ? json({ ...found, seconds, report: files(out) }) : print(found, out, rate)
          return found
        })
      )
      // The next audit begins anew; only an interrupted one goes on.
      yield* Effect.sync(() => openState(files(out).state, true).close())
      if (summary.verdict === "invalid") {
        return yield* new EvidenceWrong({ detail: `${summary.problems.length} problems, see ${files(out).html}` })
      }
    }).pipe(withJournal)
).pipe(
  Command.withDescription("Verify a whole ledger; exit code 1 if anything is wrong"),
  Command.withExamples([
    { command: "xase audit --journal decisions.journal", description: "Hold the ledger against what was sent" },
    { command: "xase audit --payloads --trust trust.json", description: "Verify payloads and signatures too" }
  ])
)
