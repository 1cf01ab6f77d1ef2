/**
 * Finds out whether the ledger has a record already, without its receipt and without its idempotency key.
 *
 * The ledger's list has no payloads, but a record's hash can be computed from its body and the hash of the record before
 * it: whoever has the body recognises its record. What was read of the list is kept, as a record that is found stays found;
 * before a record counts as not recorded, what came into the list since then is read too.
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

/** What a search needs of a sealed record. */
export type Sought = Pick<LedgerRecord, "body" | "policy">

/** Finds out whether the ledger has a record, without its receipt and idempotency key. */
export interface LedgerSearch {
  /** Looks for a sealed record that was accepted at a time (epoch milliseconds). Waits for a ledger that is away. */
  readonly find: (record: Sought, acceptedAt: number) => Effect.Effect<Finding>
}

const pageSize = 100

/** So many records of the ledger are read at most: more would be thousands of requests. */
const maxRecords = 50_000

/** So many records that look alike are asked for the one before them, where the list does not tell. */
const maxCandidates = 200

/** How far the clocks of client and ledger may be apart, in milliseconds. */
const clockMargin = 3_600_000

/** A record may come into the list this much later than its own time says, in milliseconds. */
const lateMargin = 60_000

/** A list whose pages bring nothing new so many times in a row has no end. */
const maxIdlePages = 20

interface Listed extends ListedRecord {
  readonly time: number
  /** The hash of the next older record in the list, `null` after the last one. */
  readonly olderHash: string | null
}

/** What was read of the list, newest first, and the time back to which it is complete. */
interface ListRead {
  readonly records: ReadonlyArray<Listed>
  readonly since: number
}

const none: Finding = { _tag: "NotRecorded" }

const unknown = (reason: string): Finding => ({ _tag: "Unknown", reason })

const patience = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])

/** A search in a ledger at this address. */
export const make = (ledger: Ledger.Service, baseUrl: string): LedgerSearch => {
  let listed: ListRead | undefined

  const asked = <A>(request: Effect.Effect<A, LedgerError>): Effect.Effect<A, LedgerError> =>
    Effect.retry(request, { while: RetryPolicy.isRetryable, schedule: patience })

  /**
   * The list down to a time; it grows at its beginning while it is read, so what was seen is skipped. With an earlier reading,
   * which goes back as far, only what is newer is read.
   */
  const listSince = Effect.fnUntraced(function* (
    since: number,
    earlier?: ListRead
  ): Effect.fn.Return<ListRead, LedgerError> {
    const seen = new Map<string, ListedRecord>()
    const known = new Set(earlier?.records.map(({ transactionId }) => transactionId))
    const newest = earlier?.records[0]?.time ?? Number.NaN
    const until = earlier === undefined ? since : newest - lateMargin
    let isEnd = false
    let idle = 0
    for (let page = 1; seen.size < maxRecords && idle < maxIdlePages; page++) {
      const { pagination, records }: RecordsPage = yield* asked(ledger.list({ page, limit: pageSize }))
      const before = seen.size
      for (const record of records) seen.set(record.transactionId, record)
      idle = seen.size === before ? idle + 1 : 0
      const oldest = records.at(-1)
      isEnd = records.length === 0 || page >= pagination.pages
      const hasMet = earlier === undefined || records.some(({ transactionId }) => known.has(transactionId))
      if (isEnd || (hasMet && oldest !== undefined && Date.parse(oldest.timestamp) < until)) break
    }
    const hasMet = earlier !== undefined && [...seen.keys()].some((id) => known.has(id))
    const rest = hasMet && !isEnd ? earlier.records.filter(({ transactionId }) => !seen.has(transactionId)) : []
    const rows: ReadonlyArray<ListedRecord> = [...seen.values(), ...rest]
    const records = rows.map((record, index) => ({
      ...record,
      time: Date.parse(record.timestamp),
      olderHash: rows[index + 1]?.recordHash ?? null
    }))
    const isWhole = isEnd || (hasMet && earlier.since === Number.NEGATIVE_INFINITY)
    return { records, since: isWhole ? Number.NEGATIVE_INFINITY : (records.at(-1)?.time ?? Number.POSITIVE_INFINITY) }
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
    record: Sought,
    acceptedAt: number
  ): Effect.fn.Return<Finding, LedgerError> {
    const since = acceptedAt - clockMargin
    const earlier = listed
    const isNew = earlier === undefined || earlier.since > since
    const read = isNew ? yield* listSince(since) : earlier
    listed = read
    if (read.since > since) return unknown(`the ledger's list does not reach back to then within ${maxRecords} records`)
    const found = yield* searchIn(read, record, since)
    // Only a list that was read after the record's last attempt can say that it is not there.
    if (isNew || found._tag === "Recorded") return found
    const fresh = yield* listSince(since, read)
    listed = fresh
    if (fresh.since > since) return unknown("the ledger's list could not be read to its end")
    return yield* searchIn(fresh, record, since)
  })

  const searchIn = Effect.fnUntraced(function* (
    { records }: ListRead,
    record: Sought,
    since: number
  ): Effect.fn.Return<Finding, LedgerError> {
    const { contextHash, inputHash, outputHash } = SealedBody.read(record.body)
    const hashAfter = (previousHash: string | null): string =>
      recordHash({ previousHash, inputHash, outputHash, contextHash })
    const looksLike = likenessTo(record)
    const candidates = records.filter((row) => row.time >= since && looksLike(row))
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

/** Whether what the list shows of a row is what a record's body says; the body is parsed once. */
const likenessTo = (record: Sought): ((row: ListedRecord) => boolean) => {
  const body = parse(record.body)
  if (!isObject(body)) return () => false
  const { confidence = null, decisionType } = body
  return (row) =>
    row.policy === record.policy &&
    row.confidence === confidence &&
    (decisionType === undefined || row.decisionType === decisionType)
}
