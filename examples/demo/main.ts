/**
 * `npm run demo`: 1,000 real loan applicants, a readable credit policy, and proof of every decision.
 *
 * Starts an embedded ledger, records each decision fire-and-forget with a journal of what was sent, flushes, and lets
 * `xase audit` hold the whole ledger against the journal. Ends with exit code 0 when all 1,000 are recorded and proven, else
 * 1. `--keep` leaves the ledger and the audit's report.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { NodeRuntime } from "@effect/platform-node"
import { ConfigProvider, Console, Effect, Fiber, Layer, Stream } from "effect"
import { type Receipt, Xase, XaseLive } from "xase-sdk"
import { LedgerServer } from "xase-sdk/ledger-server"
import { readApplicants } from "./applicants.ts"
import { decide, policy } from "./credit-policy.ts"
import { progressBar } from "./progress-bar.ts"

const keep = process.argv.includes("--keep")

const folder = mkdtempSync(join(tmpdir(), "xase-demo-"))
const journal = join(folder, "journal.db")
const report = join(folder, "audit")

const ledgerLayer = LedgerServer.layer({ rateLimit: "unlimited" })

/** The client with the address and key of the embedded ledger, given as an application would get them. */
const xaseLayer = Layer.unwrap(
  LedgerServer.useSync(({ apiKey, baseUrl }) =>
    XaseLive.pipe(
      Layer.provide(
        ConfigProvider.layer(
          ConfigProvider.fromEnv({
            env: { XASE_API_KEY: apiKey, XASE_BASE_URL: baseUrl, XASE_JOURNAL: journal }
          })
        )
      )
    )
  )
)

const command = fileURLToPath(new URL("../../src/cli.ts", import.meta.url))

/** Runs `xase audit` as an auditor would, and answers its exit code. */
const runAudit = async (environment: Readonly<Record<string, string>>): Promise<number | null> => {
  const args = ["--conditions=xase-source", command, "audit", "--journal", journal, "--out", report]
  const child = spawn(process.execPath, args, { env: { ...process.env, ...environment }, stdio: "inherit" })
  const [code] = await once(child, "close")
  return code
}

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)}%`

const demo = Effect.gen(function* () {
  const ledger = yield* LedgerServer
  const xase = yield* Xase
  const applicants = readApplicants()
  yield* Console.log(
    `\nXase demo: ${applicants.length} real loan applicants, policy ${policy.name} ${policy.version}\n`
  )

  // Receipts are collected while the applicants are decided on.
  const receipts: Array<Receipt> = []
  const showReceipts = progressBar("recorded", applicants.length)
  const collecting = yield* xase.outcomes.pipe(
    Stream.take(applicants.length),
    Stream.runForEach((outcome) =>
      Effect.sync(() => {
        if (outcome._tag === "Delivered") showReceipts(receipts.push(outcome.receipt))
      })
    ),
    Effect.forkChild({ startImmediately: true })
  )

  const tally = new Map<string, { count: number; repaid: number }>()
  const callMicros: Array<number> = []
  const started = performance.now()
  for (const applicant of applicants) {
    const { repaid, ...input } = applicant
    const decidedAt = performance.now()
    const { confidence, decision, reasons, score } = decide(applicant)
    const recordedAt = performance.now()
    yield* xase.record({
      policy: policy.name,
      policyVersion: policy.version,
      input,
      output: { decision, score, reasons },
      confidence,
      decisionType: "UNDERWRITING",
      storePayload: true,
      processingTime: recordedAt - decidedAt,
      transactionId: `demo_${applicant.applicantId}`
    })
    callMicros.push((performance.now() - recordedAt) * 1_000)
    const sum = tally.get(decision) ?? { count: 0, repaid: 0 }
    tally.set(decision, { count: sum.count + 1, repaid: sum.repaid + (repaid ? 1 : 0) })
  }
  yield* xase.flush("1 minute")
  const seconds = (performance.now() - started) / 1_000
  yield* Fiber.join(collecting)

  callMicros.sort((a, b) => a - b)
  const quantile = (q: number): string => (callMicros[Math.floor(q * (callMicros.length - 1))] ?? 0).toFixed(1)
  const stats = yield* xase.stats
  yield* Console.log("\n  decision      applicants   of these repaid")
  for (const [decision, { count, repaid }] of [...tally].sort(([, a], [, b]) => b.count - a.count)) {
    yield* Console.log(
      `  ${decision.padEnd(12)} ${String(count).padStart(6)} ${percent(count, applicants.length).padStart(7)}   ${percent(repaid, count).padStart(7)}`
    )
  }
  yield* Console.log(`
  records       ${stats.accepted} accepted, ${stats.delivered} delivered, ${stats.failed} failed
  throughput    ${Math.round(receipts.length / seconds)} records/s end to end (decide, record, deliver, receipt)
  record()      ${quantile(0.5)} µs median, ${quantile(0.99)} µs at the 99th percentile

  one receipt   ${JSON.stringify(receipts.at(-1), null, 2).replaceAll("\n", "\n                ")}

  dashboard     ${ledger.dashboardUrl}
`)

  yield* Console.log("  The audit: every record of the ledger against the journal, and the record before it.")
  const audit = yield* Effect.promise(() => runAudit({ XASE_API_KEY: ledger.apiKey, XASE_BASE_URL: ledger.baseUrl }))
  if (receipts.length !== applicants.length || audit !== 0) {
    yield* Console.error(`  ${applicants.length - receipts.length} decisions were not recorded.`)
    return yield* Effect.fail(new Error("the demo did not prove every decision"))
  }
  if (!keep) return yield* Console.log("  The ledger stops now; npm run demo -- --keep leaves it and the report.\n")
  yield* Console.log("  The ledger keeps running: Ctrl-C ends it.\n")
  return yield* Effect.never
})

const cleanUp = Effect.sync(() => {
  if (!keep) rmSync(folder, { recursive: true, force: true })
})

demo.pipe(Effect.provide(xaseLayer), Effect.provide(ledgerLayer), Effect.ensuring(cleanUp), NodeRuntime.runMain)
