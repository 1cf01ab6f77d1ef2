/**
 * `xase list`, `show`, `verify` and `stats`: what the ledger holds, and what it says of it.
 */

import * as Console from "effect/Console"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Verifier from "../client/RecordVerifier.ts"
import { type Verification, VerificationFromLedger } from "../contract/LedgerClaim.ts"
import type { ListedRecord } from "../contract/RecordsPage.ts"
import { Journal } from "../delivery/Journal.ts"
import { conclude, findings } from "../evidence/Verdict.ts"
import { Ledger } from "../ledger/Ledger.ts"
import { RecordNotFound } from "../XaseError.ts"
import { withLedger, withPublicJournal, withPublicLedger, xase } from "./Connection.ts"
import { bold, dim, EvidenceWrong, failed, fields, green, json, red, safe, table, yellow } from "./Output.ts"
import { printVerdict } from "./Verdicts.ts"

const orDash = (value: string | number | null): string => (value === null ? dim("-") : safe(String(value)))

const positive = (name: string, fallback: number, maximum: number) =>
  Flag.Int(name).pipe(
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum }))),
    Flag.withDefault(fallback)
  )

/** `xase list`. */
export const list = Command.make(
  "list",
  {
    page: positive("page", 1, 1_000_000).pipe(Flag.withDescription("Which page, from 1")),
    limit: positive("limit", 20, 100).pipe(Flag.withDescription("Records a page, at most 100")),
    policy: Flag.String("policy").pipe(Flag.withDescription("Only this policy"), Flag.optional),
    search: Flag.String("search").pipe(Flag.withDescription("Part of an id or policy"), Flag.optional)
  },
  ({ limit, page, policy, search }) =>
    Effect.gen(function* () {
      const { json: asJson } = yield* xase
      const ledger = yield* Ledger
      const answer = yield* Effect.mapError(
        ledger.list({ page, limit, policy: Option.getOrUndefined(policy), search: Option.getOrUndefined(search) }),
        failed
      )
      if (asJson) return yield* json(answer)
      yield* table(
        ["transaction", "time", "policy", "type", "confidence"],
        answer.records.map((record) => [
          safe(record.transactionId),
          safe(record.timestamp),
          orDash(record.policy),
          orDash(record.decisionType),
          orDash(record.confidence)
        ])
      )
      const { pages, total } = answer.pagination
      yield* Console.log(dim(`\npage ${page} of ${pages}, ${total} records`))
    }).pipe(withLedger)
).pipe(
  Command.withDescription("List records, newest first"),
  Command.withExamples([
    { command: "xase list --policy credit_policy_v4 --limit 50", description: "The last 50 of a policy" }
  ])
)

const toJson = Schema.encodeSync(VerificationFromLedger)

const verdict = (answer: Verification): string => (answer.isValid ? green("VERIFIED") : red("TAMPERED"))

const mark = (isRight: boolean): string => (isRight ? green("yes") : red("no"))

/** `xase show ID`. */
export const show = Command.make(
  "show",
  { id: Argument.String("id").pipe(Argument.withDescription("A transaction id, txn_...")) },
  ({ id }) =>
    Effect.gen(function* () {
      const { json: asJson } = yield* xase
      const answer = yield* Effect.mapError((yield* Ledger).verify(id), failed)
      if (asJson) return yield* json(toJson(answer))
      const { chain, checks, metadata } = answer
      yield* Console.log(`\n${bold(safe(answer.transactionId))}  ${verdict(answer)}\n`)
      yield* fields([
        ["time", safe(metadata.timestamp)],
        ["policy", `${orDash(metadata.policy)} ${metadata.policyVersion === null ? "" : safe(metadata.policyVersion)}`],
        ["type", orDash(metadata.decisionType)],
        ["confidence", orDash(metadata.confidence)],
        ["processing time", metadata.processingTime === null ? dim("-") : `${metadata.processingTime} ms`],
        ["record hash", safe(chain.recordHash)],
        ["previous hash", chain.previousHash === null ? dim("none: the first record") : safe(chain.previousHash)],
        ["next record", safe(chain.nextTransactionId ?? "-")],
        ["input as recorded", mark(checks.inputHash)],
        ["output as recorded", mark(checks.outputHash)],
        ["context as recorded", mark(checks.contextHash)],
        ["chain intact", mark(checks.chainIntegrity)],
        ["payload kept", checks.payloadAvailable ? "yes" : yellow("no: only hashes, which then prove nothing of it")]
      ])
    }).pipe(withPublicLedger)
).pipe(
  Command.withDescription("Show what the ledger says of one record"),
  Command.withExamples([{ command: "xase show txn_0747120b8111b7e005e53ea71f5e63fc", description: "Show one record" }])
)

/** `xase verify ID...`. */
export const verify = Command.make(
  "verify",
  {
    ids: Argument.String("id").pipe(Argument.withDescription("Transaction ids, txn_..."), Argument.variadic({ min: 1 }))
  },
  ({ ids }) =>
    Effect.gen(function* () {
      const { json: asJson } = yield* xase
      const ledger = yield* Ledger
      const journal = yield* Journal
      const wrong: Array<string> = []
      for (const id of ids) {
        const verified = yield* Verifier.verify(ledger, journal, id).pipe(
          Effect.catchIf(
            (error) => error instanceof RecordNotFound,
            () => Effect.succeed(unknown(id))
          ),
          Effect.mapError(failed)
        )
        if (verified.verdict === "invalid") wrong.push(id)
        const { ledger: claim, ...verdict } = verified
        yield* asJson
          ? json({ ...verdict, ledger: claim === undefined ? null : toJson(claim) })
          : printVerdict(id, verdict)
      }
      if (wrong.length > 0) {
        return yield* new EvidenceWrong({ detail: `${wrong.length} of ${ids.length} records are not valid` })
      }
    }).pipe(withPublicJournal)
).pipe(
  Command.withDescription("Verify records, believing the ledger nothing; exit code 1 if one is wrong"),
  Command.withExamples([
    { command: "xase verify txn_... --journal decisions.journal", description: "Hold a record against what was sent" }
  ])
)

const unknown = (transactionId: string): Verifier.Verified => ({
  ...conclude(`Record ${transactionId}`, {
    ...findings(),
    problems: [{ reason: "removed", transactionId, path: "", message: "the ledger has no such record" }]
  }),
  transactionId,
  ledger: undefined
})

const pageSize = 100

interface Sum {
  readonly records: number
  readonly confidences: ReadonlyArray<number>
}

const sumUp = (records: ReadonlyArray<ListedRecord>): ReadonlyMap<string, Sum> => {
  const sums = new Map<string, Sum>()
  for (const { confidence, policy } of records) {
    const name = policy ?? "(no policy)"
    const sum = sums.get(name) ?? { records: 0, confidences: [] }
    sums.set(name, {
      records: sum.records + 1,
      confidences: confidence === null ? sum.confidences : [...sum.confidences, confidence]
    })
  }
  return sums
}

const mean = (values: ReadonlyArray<number>): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length

/** `xase stats`. */
export const stats = Command.make(
  "stats",
  {
    last: positive("last", 1_000, 1_000_000).pipe(Flag.withDescription("How many of the newest records to look at"))
  },
  ({ last }) =>
    Effect.gen(function* () {
      const { json: asJson } = yield* xase
      const ledger = yield* Ledger
      const first = yield* Effect.mapError(ledger.list({ page: 1, limit: pageSize }), failed)
      const records = [...first.records]
      const pages = Math.min(first.pagination.pages, Math.ceil(last / pageSize))
      for (let page = 2; page <= pages; page++) {
        records.push(...(yield* Effect.mapError(ledger.list({ page, limit: pageSize }), failed)).records)
      }
      const looked = records.slice(0, last)
      const policies = [...sumUp(looked)].sort(([, a], [, b]) => b.records - a.records)
      const { total } = first.pagination
      if (asJson) {
        return yield* json({
          total,
          looked: looked.length,
          oldest: looked.at(-1)?.timestamp ?? null,
          newest: looked[0]?.timestamp ?? null,
          policies: policies.map(([policy, sum]) => ({
            policy,
            records: sum.records,
            meanConfidence: mean(sum.confidences)
          }))
        })
      }
      yield* Console.log(
        `\n${bold(String(total))} records${looked.length < total ? `, the last ${looked.length} by policy` : ""}\n`
      )
      yield* table(
        ["policy", "records", "mean confidence"],
        policies.map(([policy, sum]) => [
          safe(policy),
          String(sum.records),
          mean(sum.confidences)?.toFixed(3) ?? dim("-")
        ])
      )
    }).pipe(withLedger)
).pipe(Command.withDescription("Sum up what the ledger holds"))
