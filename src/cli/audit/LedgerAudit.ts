/**
 * Walks a whole ledger, newest record first, and holds each record against everything that is known of it.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { VerificationFromLedger } from "../../contract/LedgerClaim.ts"
import type { ListedRecord } from "../../contract/RecordsPage.ts"
import type * as Journal from "../../delivery/Journal.ts"
import { type ProofBundle, verifyBundle } from "../../evidence/Bundle.ts"
import { hashOfCommitment, readEvidence } from "../../evidence/CommitmentCheck.ts"
import { member, text } from "../../evidence/Json.ts"
import * as LedgerWalk from "../../evidence/LedgerWalk.ts"
import { type ChainedCommitment, verifyProducerChain } from "../../evidence/ProducerChain.ts"
import { verifyRecord } from "../../evidence/RecordCheck.ts"
import type { TrustPolicy } from "../../evidence/TrustPolicy.ts"
import { combine, type Problem, type Verdict } from "../../evidence/Verdict.ts"
import type * as Ledger from "../../ledger/Ledger.ts"
import { isRetryable } from "../../ledger/RetryPolicy.ts"
import { type LedgerError, RecordNotFound } from "../../XaseError.ts"
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

const patiently = <A>(effect: Effect.Effect<A, LedgerError>): Effect.Effect<A, CommandFailed> =>
  effect.pipe(
    Effect.retry({ while: isRetryable, schedule: Schedule.exponential("200 millis"), times: 5 }),
    Effect.mapError(failed)
  )

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

/** Verifies one record before its older neighbour. */
const checkRecord = Effect.fnUntraced(function* (
  { bundleOf, journal, ledger, policy }: AuditSources,
  listed: ListedRecord,
  older: ListedRecord | undefined
): Effect.fn.Return<AuditedRecord, CommandFailed> {
  const { transactionId } = listed
  const claim = yield* patiently(
    ledger.verify(transactionId).pipe(
      Effect.catchIf(
        (error) => error instanceof RecordNotFound,
        () => Effect.succeed(undefined)
      )
    )
  )
  const entry = journal.find(transactionId)
  const bundle = bundleOf === undefined ? undefined : yield* bundleOf(transactionId)
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
    verdict: withoutLinks(combine(`Record ${transactionId}`, [answer, ...proof])),
    commitment: entry?.commitment ?? (bundle === undefined ? undefined : commitmentOf(bundle, transactionId))
  }
})

const decisionIn = ({ payload }: ProofBundle) => {
  const read = payload?.context === undefined ? undefined : readEvidence(payload.context)
  return read?._tag === "Evidence" ? read.evidence.commitment.decision : undefined
}

/** Goes on where the state ends, to the oldest record. Records that came in meanwhile are left to the next audit. */
export const walk = Effect.fnUntraced(function* (sources: AuditSources): Effect.fn.Return<void, CommandFailed> {
  const { concurrency, ledger, onProgress, state } = sources
  const resumed = state.walk()
  let oldest = resumed.oldest?.transactionId
  let page = Math.floor(resumed.records / pageSize) + 1
  let pending: ListedRecord | undefined
  let isSeeking = oldest !== undefined
  while (true) {
    const { pagination, records } = yield* patiently(ledger.list({ page, limit: pageSize }))
    const last = pending?.transactionId ?? oldest
    const place = records.findIndex(({ transactionId }) => transactionId === last)
    if (place === -1 && isSeeking && page < pagination.pages) {
      page++
      continue
    }
    isSeeking = false
    // Records that came in meanwhile push known ones to this page.
    const fresh =
      place === -1 ? records.filter(({ transactionId }) => !state.has(transactionId)) : records.slice(place + 1)
    const batch = pending === undefined ? fresh : [pending, ...fresh]
    const isLast = page >= pagination.pages
    const ready = isLast ? batch : batch.slice(0, -1)
    const audited = yield* Effect.forEach(ready, (record, index) => checkRecord(sources, record, batch[index + 1]), {
      concurrency
    })
    state.add(audited)
    oldest = audited.at(-1)?.walked.transactionId ?? oldest
    pending = isLast ? undefined : batch.at(-1)
    yield* onProgress(state.walk().records, Math.max(state.walk().records, pagination.total))
    if (isLast) return
    page++
  }
})

/** What only the whole ledger shows: its links, records that have a receipt and are gone, the chains of its producers. */
export const conclusions = (
  { journal, state }: Pick<AuditSources, "journal" | "state">,
  { at, knownHead }: ReturnType<AuditState["began"]>
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
