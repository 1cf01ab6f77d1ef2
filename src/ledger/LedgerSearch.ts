/**
 * Finds out whether the ledger has a record already, without its receipt and without its idempotency key.
 *
 * The ledger's list has no payloads, but a record's hash can be computed from its body and the hash of the record before
 * it: whoever has the body recognises its record. The list is read once for all records that are looked for.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { Receipt } from "../contract/Receipt.ts"
import type { ListedRecord, RecordsPage } from "../contract/RecordsPage.ts"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import * as SealedBody from "../evidence/BodyFacts.ts"
import { isObject, parse } from "../evidence/Json.ts"
import { recordHash } from "../evidence/LedgerHash.ts"
import type { LedgerError } from "../XaseError.ts"
import type * as Ledger from "./Ledger.ts"
import * as RetryPolicy from "./RetryPolicy.ts"

/** What was found out. */
export type Finding =
  | { readonly _tag: "Recorded"; readonly receipt: Receipt }
  | { readonly _tag: "NotRecorded" }
  | { readonly _tag: "Unknown"; readonly reason: string }

/** See the module. */
export interface LedgerSearch {
  /** Looks for a sealed record that was accepted at a time (epoch milliseconds). Waits for a ledger that is away. */
  readonly find: (record: LedgerRecord, acceptedAt: number) => Effect.Effect<Finding>
}

const pageSize = 100

/** So many records of the ledger are read at most: more would be thousands of requests. */
const maxRecords = 50_000

/** So many records that look alike are asked for the one before them, where the list does not tell. */
const maxCandidates = 200

/** How far the clocks of client and ledger may be apart, in milliseconds. */
const clockMargin = 3_600_000

interface Listed extends ListedRecord {
  readonly time: number
  /** The hash of the next older record in the list, `null` after the last one. */
  readonly olderHash: string | null
}

const none: Finding = { _tag: "NotRecorded" }

const unknown = (reason: string): Finding => ({ _tag: "Unknown", reason })

const patience = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])

/** A search in a ledger at this address. */
export const make = (ledger: Ledger.Service, baseUrl: string): LedgerSearch => {
  let listed: { readonly records: ReadonlyArray<Listed>; readonly since: number; readonly isWhole: boolean } | undefined

  const asked = <A>(request: Effect.Effect<A, LedgerError>): Effect.Effect<A, LedgerError> =>
    Effect.retry(request, { while: RetryPolicy.isRetryable, schedule: patience })

  /** The list down to a time; it grows at its beginning while it is read, so what was seen is skipped. */
  const listSince = Effect.fnUntraced(function* (since: number): Effect.fn.Return<typeof listed, LedgerError> {
    const seen = new Map<string, ListedRecord>()
    let isWhole = false
    for (let page = 1; seen.size < maxRecords; page++) {
      const { pagination, records }: RecordsPage = yield* asked(ledger.list({ page, limit: pageSize }))
      for (const record of records) seen.set(record.transactionId, record)
      const oldest = records.at(-1)
      isWhole = records.length === 0 || page >= pagination.pages
      if (isWhole || (oldest !== undefined && Date.parse(oldest.timestamp) < since)) break
    }
    const rows = [...seen.values()]
    const records = rows.map((record, index) => ({
      ...record,
      time: Date.parse(record.timestamp),
      olderHash: rows[index + 1]?.recordHash ?? null
    }))
    const reached = isWhole ? Number.NEGATIVE_INFINITY : (records.at(-1)?.time ?? Number.POSITIVE_INFINITY)
    return { records, since: reached, isWhole }
  })

  const receiptOf = ({ recordHash, timestamp, transactionId }: ListedRecord, isGenesis: boolean): Receipt =>
    new Receipt({
      transactionId,
      receiptUrl: `${baseUrl}/verify/${transactionId}`,
      timestamp,
      recordHash,
      chainPosition: isGenesis ? "genesis" : "chained"
    })

  const search = Effect.fnUntraced(function* (
    record: LedgerRecord,
    acceptedAt: number
  ): Effect.fn.Return<Finding, LedgerError> {
    const since = acceptedAt - clockMargin
    if (listed === undefined || listed.since > since) listed = yield* listSince(since)
    if (listed === undefined || listed.since > since) {
      return unknown(`the ledger has more than ${maxRecords} records since then`)
    }
    const { contextHash, inputHash, outputHash } = SealedBody.read(record.body)
    const hashAfter = (previousHash: string | null): string =>
      recordHash({ previousHash, inputHash, outputHash, contextHash })
    const candidates = listed.records.filter((row) => row.time >= since && looksLike(row, record))
    const found = candidates.find((row) => hashAfter(row.olderHash) === row.recordHash)
    if (found !== undefined) return { _tag: "Recorded", receipt: receiptOf(found, found.olderHash === null) }
    if (candidates.length > maxCandidates) {
      return unknown(`${candidates.length} records of the ledger look like it`)
    }
    for (const row of candidates) {
      const { chain } = yield* asked(ledger.verify(row.transactionId))
      if (hashAfter(chain.previousHash) === row.recordHash) {
        return { _tag: "Recorded", receipt: receiptOf(row, chain.previousHash === null) }
      }
    }
    return none
  })

  return {
    find: (record, acceptedAt) =>
      Effect.catch(search(record, acceptedAt), (error) => Effect.succeed(unknown(error.message)))
  }
}

/** Whether what the list shows of a record is what its body says. */
const looksLike = (row: ListedRecord, record: LedgerRecord): boolean => {
  const body = parse(record.body)
  if (!isObject(body)) return false
  return (
    row.policy === record.policy &&
    row.confidence === (body.confidence ?? null) &&
    (body.decisionType === undefined || row.decisionType === body.decisionType)
  )
}
