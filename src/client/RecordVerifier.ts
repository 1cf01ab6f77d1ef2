/**
 * Verifies a record of the ledger with everything that this client knows: its journal, the decision that the caller still
 * holds, and the ledger's own list, in which the record before is looked up.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Verification, VerificationFromLedger } from "../contract/LedgerClaim.ts"
import type { ListedRecord, RecordsPage } from "../contract/RecordsPage.ts"
import * as Draft from "../decision/BodyTemplate.ts"
import type * as Journal from "../delivery/Journal.ts"
import * as Commitment from "../evidence/Commitment.ts"
import { isObject, parse } from "../evidence/Json.ts"
import { hashObject } from "../evidence/LedgerHash.ts"
import { type KnownRecord, type Predecessor, verifyRecord } from "../evidence/RecordCheck.ts"
import { combine, conclude, findings, type Verdict } from "../evidence/Verdict.ts"
import type * as Ledger from "../ledger/Ledger.ts"
import { type LedgerError, RecordNotFound } from "../XaseError.ts"

/** A verdict about a record of the ledger. */
export interface Verified extends Verdict {
  readonly transactionId: string
  /** What the ledger says of it, believed in nothing; absent when it has no such record. */
  readonly ledger: Verification | undefined
}

const toJson = Schema.encodeSync(VerificationFromLedger)

/** What is known of a record from the decision itself: its hashes and fields, not what the SDK added to its context. */
export const knownFrom = (draft: Draft.Draft): KnownRecord => {
  const { fields, input, output } = Draft.read(draft)
  const decision = parse(Draft.committedText(fields, "", 0))
  const { idempotencyKey: _, recordedAt: __, ...given } = isObject(decision) ? decision : {}
  return { inputHash: hashText(input), outputHash: hashText(output), decision: given }
}

/** The ledger's hash of canonical text; keys that look like numbers come first there (ledger contract). */
const hashText = (text: string): string => {
  if (!/"\d+":/.test(text)) return Commitment.prefixed(text)
  const parsed = parse(text)
  return hashObject(isObject(parsed) ? parsed : {})
}

/** Verifies a record. `held` is what the caller knows of it, see {@link knownFrom}. */
export const verify = Effect.fnUntraced(function* (
  ledger: Ledger.Service,
  journal: Journal.Service,
  transactionId: string,
  held?: KnownRecord
): Effect.fn.Return<Verified, LedgerError> {
  const entry = journal.find(transactionId)
  const answer = yield* Effect.result(ledger.verify(transactionId))
  if (Result.isFailure(answer)) {
    if (entry === undefined || !(answer.failure instanceof RecordNotFound)) return yield* Effect.fail(answer.failure)
    return { ...removed(transactionId), transactionId, ledger: undefined }
  }
  const claim = answer.success
  const { listedHash, predecessor } = yield* placeOf(ledger, claim)
  const known: KnownRecord = { ...held, ...entry?.known }
  const verdict = verifyRecord({ ledger: toJson(claim), predecessor, known })
  const verdicts = [verdict, isAbout(transactionId, listedHash, claim)]
  if (held !== undefined && entry !== undefined) verdicts.push(isSame(held, entry.known))
  return { ...combine(`Record ${transactionId}`, verdicts), transactionId, ledger: claim }
})

const removed = (transactionId: string): Verdict =>
  conclude(`Record ${transactionId}`, {
    ...findings(),
    problems: [
      {
        reason: "removed",
        transactionId,
        path: "",
        message: "the ledger gave a receipt for it and does not have it any more"
      }
    ]
  })

/** Whether the ledger's answer is about the record that was asked for, under the hash that its list names. */
const isAbout = (asked: string, listedHash: string | undefined, { chain, transactionId }: Verification): Verdict => {
  const found = findings()
  if (transactionId !== asked) {
    found.problems.push({
      reason: "malformed",
      transactionId: asked,
      path: "transaction_id",
      message: `asked for ${asked}, the ledger answered about ${transactionId}`
    })
  }
  if (listedHash !== undefined && listedHash !== chain.recordHash) {
    found.problems.push({
      reason: "differs",
      transactionId: asked,
      path: "record_hash",
      message: `the ledger's list names ${listedHash}, but its own verification names ${chain.recordHash}`
    })
  }
  return conclude(`Record ${asked}`, found)
}

/** Whether the decision that the caller holds is the one that was sent. */
const isSame = (held: KnownRecord, sent: KnownRecord): Verdict => {
  const found = findings()
  for (const part of ["inputHash", "outputHash"] as const) {
    if (held[part] === sent[part]) continue
    const path = part.slice(0, -"Hash".length)
    found.problems.push({
      reason: "replayed",
      path,
      message: `the ${path} is not the one that this record was made of`
    })
  }
  for (const name of Commitment.committedFields) {
    if (name === "idempotencyKey" || name === "recordedAt" || held.decision?.[name] === sent.decision?.[name]) continue
    found.problems.push({ reason: "replayed", path: name, message: `${name} is not what this record was made of` })
  }
  if (found.problems.length === 0) found.proven.push("it was made of the decision that you hold")
  return conclude("The decision", found)
}

// -- the record before

const pageSize = 100

/** A page that brings nothing new is no way on: after so many of them the record before counts as not found. */
const maxPagesFurther = 20

type Lister = (page: number) => Effect.Effect<RecordsPage, LedgerError>

/** A record's place in the ledger's list: what the list names as its hash, and the record before it. */
interface Place {
  readonly listedHash: string | undefined
  readonly predecessor: Predecessor
}

const nowhere: Place = { listedHash: undefined, predecessor: undefined }

/** Looks for the record's place in the ledger's list; {@link nowhere} where it cannot be asked or found. */
const placeOf = (ledger: Ledger.Service, claim: Verification): Effect.Effect<Place> => {
  const lister: Lister = (page) => ledger.list({ page, limit: pageSize })
  return Effect.gen(function* () {
    const page = yield* pageOf(lister, claim)
    if (page === undefined) return nowhere
    const place = page.records.findIndex(({ transactionId }) => transactionId === claim.transactionId)
    const older = page.records[place + 1] ?? (yield* firstOfNext(lister, page))
    const predecessor: Predecessor = typeof older === "object" ? { recordHash: older.recordHash } : older
    return { listedHash: page.records[place]?.recordHash, predecessor }
  }).pipe(Effect.catch(() => Effect.succeed(nowhere)))
}

/** Records that came in meanwhile push others to the next page, so those that are known are skipped. */
const firstOfNext = Effect.fnUntraced(function* (
  lister: Lister,
  { pagination, records }: RecordsPage
): Effect.fn.Return<ListedRecord | "none" | undefined, LedgerError> {
  const seen = new Set(records.map(({ transactionId }) => transactionId))
  const end = Math.min(pagination.pages + 1, pagination.page + maxPagesFurther)
  for (let page = pagination.page + 1; page <= end; page++) {
    const next = yield* lister(page)
    const older = next.records.find(({ transactionId }) => !seen.has(transactionId))
    if (older !== undefined) return older
    if (next.records.length === 0) return "none"
  }
  return pagination.pages < end ? "none" : undefined
})

/** The list is sorted by time, newest first: the page is found in a few steps, and its neighbours are looked at too. */
const pageOf = Effect.fnUntraced(function* (
  lister: Lister,
  { metadata: { timestamp }, transactionId }: Verification
): Effect.fn.Return<RecordsPage | undefined, LedgerError> {
  const has = ({ records }: RecordsPage): boolean => records.some((record) => record.transactionId === transactionId)
  let low = 1
  let high = (yield* lister(1)).pagination.pages
  while (low <= high) {
    const middle = Math.floor((low + high) / 2)
    const page = yield* lister(middle)
    if (has(page)) return page
    const [newest] = page.records
    if (newest !== undefined && timestamp >= newest.timestamp) high = middle - 1
    else low = middle + 1
  }
  for (const near of [low - 1, low, low + 1]) {
    if (near < 1) continue
    const page = yield* lister(near)
    if (has(page)) return page
  }
  return undefined
})
