/**
 * Walks a whole ledger, newest record first, and holds each record against everything that is known of it.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { type Verification, VerificationFromLedger } from "../../contract/LedgerClaim.ts"
import type { ListedRecord } from "../../contract/RecordsPage.ts"
import type * as Journal from "../../delivery/Journal.ts"
import { type ProofBundle, verifyBundle } from "../../evidence/Bundle.ts"
import { hashOfCommitment, readEvidence } from "../../evidence/CommitmentCheck.ts"
import { member, text } from "../../evidence/Json.ts"
import * as LedgerWalk from "../../evidence/LedgerWalk.ts"
import { type ChainedCommitment, verifyProducerChain } from "../../evidence/ProducerChain.ts"
import { verifyRecord } from "../../evidence/RecordCheck.ts"
import type { TrustPolicy } from "../../evidence/TrustPolicy.ts"
import { combine, conclude, findings, type Problem, type Verdict } from "../../evidence/Verdict.ts"
import type * as Ledger from "../../ledger/Ledger.ts"
import { isRetryable } from "../../ledger/RetryPolicy.ts"
import type { LedgerError } from "../../XaseError.ts"
import { type CommandFailed, failed } from "../Output.ts"
import type { AuditedRecord, AuditState } from "./AuditState.ts"

/** What an audit works with. */
export interface AuditSources {
  readonly ledger: Ledger.Service
  readonly journal: Journal.Service
  readonly state: AuditState
  /** Fetches the proof bundle of a record; absent: records are verified by their hashes alone. */
  readonly bundleOf?: ((transactionId: string) => Effect.Effect<ProofBundle, CommandFailed>) | undefined
  readonly policy?: TrustPolicy | undefined
  readonly concurrency: number
  /** Told how many of how many records were walked. */
  readonly onProgress: (done: number, total: number) => Effect.Effect<void>
}

/** What is wrong with the ledger as a whole, and what was said of each producer. */
export interface AuditFindings {
  readonly problems: ReadonlyArray<Problem>
  readonly producers: ReadonlyArray<{
    readonly producer: string
    readonly commitments: number
    readonly verdict: Verdict
  }>
}

const pageSize = 100

const retried = <A>(effect: Effect.Effect<A, LedgerError>): Effect.Effect<A, LedgerError> =>
  Effect.retry(effect, { while: isRetryable, schedule: Schedule.exponential("200 millis"), times: 5 })

const toJson = Schema.encodeSync(VerificationFromLedger)

/** A link that is broken is told apart when the whole ledger is known. */
const withoutLinks = (verdict: Verdict): Verdict => {
  const problems = verdict.problems.filter(({ reason }) => reason !== "predecessor")
  return problems.length === verdict.problems.length ? verdict : combine("The record", [{ ...verdict, problems }])
}

const commitmentOf = ({ payload }: ProofBundle, transactionId: string): ChainedCommitment | undefined => {
  const read = payload?.context === undefined ? undefined : readEvidence(payload.context)
  if (read?._tag !== "Evidence") return undefined
  return { ...read.evidence.commitment, hash: hashOfCommitment(read.text), transactionId }
}

const hashesIn = (bundle: ProofBundle | undefined) => {
  const hashes = member(bundle?.manifest, "hashes")
  return {
    inputHash: text(hashes, "input_hash"),
    outputHash: text(hashes, "output_hash"),
    contextHash: text(hashes, "context_hash")
  }
}

/** Asks for the ledger's claim about a record. An answer that cannot be judged is a finding and does not end the audit. */
const claimOf = (
  ledger: Ledger.Service,
  { transactionId }: ListedRecord
): Effect.Effect<{ readonly claim: Verification | undefined; readonly verdict: Verdict }, CommandFailed> =>
  Effect.map(Effect.result(retried(ledger.verify(transactionId))), (answer) => {
    const found = findings()
    const name = `Record ${transactionId}`
    const problem = (path: string, message: string): void => {
      found.problems.push({ reason: "malformed", transactionId, path, message })
    }
    if (Result.isSuccess(answer)) {
      const claim = answer.success
      if (claim.transactionId === transactionId) return { claim, verdict: conclude(name, found) }
      problem("transaction_id", `asked for ${transactionId}, the ledger answered about ${claim.transactionId}`)
      return { claim: undefined, verdict: conclude(name, found) }
    }
    const error = answer.failure
    if (error._tag === "RecordNotFound")
      problem("", `the ledger lists ${transactionId} and does not know it when asked`)
    else if (error._tag === "ServerError") found.missing.push("the ledger's own answer, which failed each time")
    else problem("", `the ledger's answer about ${transactionId} cannot be read: ${error.message}`)
    return { error, claim: undefined, verdict: conclude(name, found) }
  }).pipe(
    Effect.flatMap((read) =>
      "error" in read && !isAboutRecord(read.error) ? Effect.fail(failed(read.error)) : Effect.succeed(read)
    )
  )

/** Whether an error says something of one record; all others say that the ledger cannot be reached or refuses this key. */
const isAboutRecord = ({ _tag }: LedgerError): boolean =>
  _tag === "RecordNotFound" || _tag === "ServerError" || _tag === "InvalidResponse" || _tag === "RequestFailed"

/** Whether list, claim, bundle and receipt name one hash for a record. */
const agreementOf = (
  { recordHash, transactionId }: ListedRecord,
  others: {
    readonly claim?: string | undefined
    readonly bundle?: string | undefined
    readonly receipt?: string | undefined
  }
): Verdict => {
  const found = findings()
  const differing = (source: string, hash: string | undefined): void => {
    if (hash === undefined || hash === recordHash) return
    found.problems.push({
      reason: "differs",
      transactionId,
      path: "record_hash",
      message: `the ledger's list names ${recordHash}, but ${source} ${hash}`
    })
  }
  differing("its own verification names", others.claim)
  differing("its proof bundle names", others.bundle)
  differing("its receipt said", others.receipt)
  return conclude(`Record ${transactionId}`, found)
}

/** Verifies one record before its older neighbour. */
const checkRecord = Effect.fnUntraced(function* (
  { bundleOf, journal, ledger, policy }: AuditSources,
  listed: ListedRecord,
  older: ListedRecord | undefined
): Effect.fn.Return<AuditedRecord, CommandFailed> {
  const { transactionId } = listed
  const { claim, verdict: ofClaim } = yield* claimOf(ledger, listed)
  const entry = journal.find(transactionId)
  const bundle = bundleOf === undefined ? undefined : yield* bundleOf(transactionId)
  const agreement = agreementOf(listed, {
    claim: claim?.chain.recordHash,
    bundle: text(member(bundle?.manifest, "hashes"), "record_hash"),
    receipt: entry?.known.receipt?.record_hash
  })
  const proof =
    bundle === undefined ? [] : [yield* Effect.promise(() => verifyBundle(bundle, { policy, known: entry?.known }))]
  const hashes = hashesIn(bundle)
  const known = entry?.known ?? {
    inputHash: hashes.inputHash,
    outputHash: hashes.outputHash,
    ...(bundle === undefined ? {} : { contextHash: hashes.contextHash ?? null }),
    decision: bundle?.payload === undefined ? undefined : decisionIn(bundle)
  }
  const answer = verifyRecord({
    ledger: claim === undefined ? undefined : toJson(claim),
    predecessor: older === undefined ? "none" : { recordHash: older.recordHash },
    known
  })
  return {
    walked: { transactionId, recordHash: listed.recordHash, previousHash: claim?.chain.previousHash ?? null },
    hashes: { input: known.inputHash ?? null, output: known.outputHash ?? null, context: known.contextHash ?? null },
    verdict: withoutLinks(combine(`Record ${transactionId}`, [ofClaim, agreement, answer, ...proof])),
    commitment: entry?.commitment ?? (bundle === undefined ? undefined : commitmentOf(bundle, transactionId))
  }
})

const decisionIn = ({ payload }: ProofBundle) => {
  const read = payload?.context === undefined ? undefined : readEvidence(payload.context)
  return read?._tag === "Evidence" ? read.evidence.commitment.decision : undefined
}

/** So many pages in a row may bring nothing to audit; each hundred records that came in meanwhile allow one more. */
const maxIdlePages = 20

/** More pages than this are not allowed for, however much the ledger says came in meanwhile. */
const maxExtraPages = 500

/** An audit that goes on after days may find its place this many pages further down. */
const maxResumedPages = 20_000

/** An audit ends when so many records are wrong: a ledger that makes records up would never end. */
const maxInvalid = 2_000

/** So often the audit looks for its place again when the list ended without it: rows and total are not read at once. */
const maxSeeks = 2

/** Rows of one page that the audit has not met, and whether the page repeats rows that it has. */
const freshIn = (
  records: ReadonlyArray<ListedRecord>,
  state: AuditState,
  pending: ListedRecord | undefined
): { readonly fresh: ReadonlyArray<ListedRecord>; readonly repeated: ListedRecord | undefined } => {
  const seen = new Set(pending === undefined ? [] : [pending.transactionId])
  const fresh: Array<ListedRecord> = []
  let repeated: ListedRecord | undefined
  for (const record of records) {
    if (seen.has(record.transactionId) || state.has(record.transactionId)) repeated ??= record
    else fresh.push(record)
    seen.add(record.transactionId)
  }
  return { fresh, repeated }
}

const endless = (message: string, transactionId?: string): Problem => ({
  reason: "malformed",
  transactionId,
  path: "records",
  message: `${message}: the audit ended there, and what may be older was not judged`
})

/**
 * Goes on where the state ends, to the oldest record. The first record that the audit saw is the head: what came in later
 * stands above the record where the audit stands, and is left to the next audit. Gives what is wrong with the list itself.
 */
export const walk = Effect.fnUntraced(function* (
  sources: AuditSources
): Effect.fn.Return<ReadonlyArray<Problem>, CommandFailed> {
  const { concurrency, ledger, onProgress, state } = sources
  const resumed = state.walk()
  let last = resumed.oldest?.transactionId
  // Newer records only push the record where the audit stands further down.
  const soonest = (): number =>
    Math.floor(Math.max(0, state.walk().records + (pending === undefined ? 0 : 1) - 1) / pageSize) + 1
  let pending: ListedRecord | undefined
  let firstTotal: number | undefined
  let lastTotal = 0
  let page = soonest()
  let atEndOf = 0
  let seeks = 0
  let idle = 0
  let previous = ""
  const audited = Effect.fnUntraced(function* (batch: ReadonlyArray<ListedRecord>, isLast: boolean) {
    const ready = isLast ? batch : batch.slice(0, -1)
    const records = yield* Effect.forEach(ready, (record, index) => checkRecord(sources, record, batch[index + 1]), {
      concurrency
    })
    state.add(records)
    pending = isLast ? undefined : batch.at(-1)
    last = batch.at(-1)?.transactionId ?? last
  })
  const rest = () => audited(pending === undefined ? [] : [pending], true)
  while (true) {
    const { pagination, records } = yield* Effect.mapError(retried(ledger.list({ page, limit: pageSize })), failed)
    firstTotal ??= pagination.total
    const total = lastTotal
    lastTotal = pagination.total
    const ids = records.map(({ transactionId }) => transactionId).join()
    const place = last === undefined ? -1 : records.findIndex(({ transactionId }) => transactionId === last)
    const isNext = page === atEndOf + 1 && pagination.total === total
    const isBefore = last !== undefined && place === -1 && !isNext
    // A full page may have lost its oldest rows to the next one while the ledger counted.
    const isLast = records.length === 0 || (!isBefore && page >= pagination.pages && records.length < pageSize)
    const { fresh, repeated } = freshIn(isBefore ? [] : records.slice(place + 1), state, pending)
    if (isBefore && isLast && seeks < maxSeeks) {
      seeks++
      page = soonest()
      continue
    }
    if (isBefore && isLast) {
      yield* rest()
      return [endless(`${last}, where the audit stood, is not in the ledger's list any more`, last)]
    }
    if (!isLast && ids === previous && !isBefore && pagination.total <= total) {
      yield* rest()
      return [endless(`page ${page} of the ledger's list repeats the page before it`)]
    }
    if (repeated !== undefined) {
      yield* audited([...(pending === undefined ? [] : [pending]), ...fresh], true)
      return [endless(`the ledger's list names ${repeated.transactionId} twice`, repeated.transactionId)]
    }
    idle = fresh.length === 0 ? idle + 1 : 0
    const grown = Math.min(Math.max(0, pagination.total - firstTotal) / pageSize, maxExtraPages)
    if (idle > maxIdlePages + grown + (resumed.records > 0 ? maxResumedPages : 0)) {
      yield* rest()
      return [endless(`${idle} pages of the ledger's list brought no older record`)]
    }
    previous = ids
    if (!isBefore) {
      yield* audited([...(pending === undefined ? [] : [pending]), ...fresh], isLast)
      atEndOf = page
      seeks = 0
    }
    yield* onProgress(state.walk().records, Math.max(state.walk().records, firstTotal))
    if (isLast) return []
    if (state.counts().invalid >= maxInvalid) {
      yield* rest()
      return [endless(`${maxInvalid} records are wrong`)]
    }
    page++
  }
})

/** What only the whole ledger shows: its links, records that have a receipt and are gone, the chains of its producers. */
export const conclusions = (
  { journal, state }: Pick<AuditSources, "journal" | "state">,
  { at, knownHead }: ReturnType<AuditState["began"]>,
  ofList: ReadonlyArray<Problem>
): AuditFindings => {
  const counted = state.producers()
  const seen = counted.reduce((sum, { commitments }) => sum + commitments, 0)
  const hasUnseen = seen < state.walk().records
  const producers = counted.map(({ commitments, producer }) => ({
    producer,
    commitments,
    verdict: verifyProducerChain(producer, state.commitments(producer), { hasUnseen })
  }))
  return {
    problems: [
      ...ofList,
      ...LedgerWalk.finish(state.walk(), state.index, knownHead),
      ...removedOf(journal, state, at),
      ...producers.flatMap(({ verdict }) => verdict.problems)
    ],
    producers
  }
}

/** More removed records than this are not listed one by one. */
const maxRemoved = 1_000

const removedOf = (journal: Journal.Service, state: AuditState, until: number): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  for (const { receivedAt, transactionId } of journal.entries()) {
    if (transactionId === undefined || receivedAt === undefined || receivedAt > until) continue
    if (state.has(transactionId)) continue
    problems.push({
      reason: "removed",
      transactionId,
      path: "",
      message: `${transactionId} has a receipt and is not in the ledger any more`
    })
    if (problems.length === maxRemoved) break
  }
  return problems
}
