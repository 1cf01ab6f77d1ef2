/**
 * What the dashboard shows of many records at once: by policy, outcome, confidence and minute.
 *
 * The outcome of a decision is a word in its output (`decision`, `outcome`, `result` or `status`), known only where the
 * payload was kept. Sums look at the newest records only, so that the page stays fast however long the chain is.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { StoredRecord } from "./RecordRow.ts"

/** Which records to look at. */
export interface Filter {
  readonly tenantId: string
  readonly policy?: string | undefined
  readonly outcome?: string | undefined
  readonly search?: string | undefined
  /** Epoch milliseconds. */
  readonly since?: number | undefined
}

/** How many of the newest records the sums look at. */
export const horizon = 1_000

/** How many records the table shows. */
export const tableSize = 50

/** The outcome word of a row, `NULL` where there is none. Fixed text, no parameter is part of it. */
const outcomeOf = `CASE WHEN output_payload IS NULL THEN NULL ELSE coalesce(
  json_extract(output_payload, '$.decision'), json_extract(output_payload, '$.outcome'),
  json_extract(output_payload, '$.result'), json_extract(output_payload, '$.status')) END`

const Sum = Schema.Struct({
  policy: Schema.NullOr(Schema.String),
  outcome: Schema.NullOr(Schema.Union([Schema.String, Schema.Number])),
  total: Schema.Int
})
const Bucket = Schema.Struct({ bucket: Schema.Int, total: Schema.Int })
const Counted = Schema.Tuple([Schema.Struct({ total: Schema.Int })])

const decodeSums = Schema.decodeUnknownEffect(Schema.Array(Sum))
const decodeBuckets = Schema.decodeUnknownEffect(Schema.Array(Bucket))
const decodeCount = Schema.decodeUnknownEffect(Counted)
const decodeRows = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ outcome: Schema.NullOr(Schema.Union([Schema.String, Schema.Number])) }))
)
const decodeRecords = Schema.decodeUnknownEffect(Schema.Array(StoredRecord))

/** A record of the table with its outcome. */
export interface Listed {
  readonly record: StoredRecord
  readonly outcome: string | null
}

/** How many decisions of a policy had an outcome. */
export interface OutcomeSum {
  readonly policy: string | null
  readonly outcome: string | null
  readonly total: number
}

const wordOf = (outcome: string | number | null): string | null => (outcome === null ? null : String(outcome))

const minute = 60_000
const minutes = 60
const confidenceBuckets = 10

/** Looks at the records of the filter. `now` is epoch milliseconds. */
export const look = Effect.fnUntraced(function* (filter: Filter, now: number) {
  const sql = yield* SqlClient.SqlClient
  const outcome = sql.literal(outcomeOf)
  const { policy, search, since, tenantId } = filter
  const where = sql.and([
    sql`tenant_id = ${tenantId}`,
    ...(policy === undefined ? [] : [sql`policy_id = ${policy}`]),
    ...(filter.outcome === undefined ? [] : [sql`${outcome} = ${filter.outcome}`]),
    ...(since === undefined ? [] : [sql`timestamp >= ${since}`]),
    ...(search === undefined
      ? []
      : [sql`(instr(transaction_id, ${search}) > 0 OR instr(coalesce(policy_id, ''), ${search}) > 0)`])
  ])
  const newest = sql`(SELECT * FROM records WHERE ${where} ORDER BY position DESC LIMIT ${horizon})`

  const rows = yield* sql`SELECT *, ${outcome} AS outcome FROM records WHERE ${where}
    ORDER BY position DESC LIMIT ${tableSize}`
  const records = yield* decodeRecords(rows)
  const words = yield* decodeRows(rows)
  const [{ total }] = yield* decodeCount(yield* sql`SELECT count(*) AS total FROM records WHERE ${where}`)
  const outcomes = yield* decodeSums(
    yield* sql`SELECT policy_id AS policy, ${outcome} AS outcome, count(*) AS total FROM ${newest}
      GROUP BY 1, 2 ORDER BY 3 DESC`
  )
  const confidences = yield* decodeBuckets(
    yield* sql`SELECT min(cast(confidence * ${confidenceBuckets} AS INTEGER), ${confidenceBuckets - 1}) AS bucket,
      count(*) AS total FROM ${newest} WHERE confidence IS NOT NULL GROUP BY 1`
  )
  const from = (Math.floor(now / minute) - minutes + 1) * minute
  const perMinute = yield* decodeBuckets(
    yield* sql`SELECT cast((timestamp - ${from}) / ${minute} AS INTEGER) AS bucket, count(*) AS total
      FROM (SELECT timestamp FROM records WHERE ${where} AND timestamp >= ${from} ORDER BY position DESC)
      GROUP BY 1`
  )
  return {
    total,
    listed: records.map((record, index): Listed => ({ record, outcome: wordOf(words[index]?.outcome ?? null) })),
    outcomes: outcomes.map((sum): OutcomeSum => ({ ...sum, outcome: wordOf(sum.outcome) })),
    confidences: spread(confidences, confidenceBuckets),
    perMinute: spread(perMinute, minutes)
  }
})

const spread = (buckets: ReadonlyArray<typeof Bucket.Type>, size: number): ReadonlyArray<number> => {
  const totals: Array<number> = Array(size).fill(0)
  for (const { bucket, total } of buckets) if (bucket >= 0 && bucket < size) totals[bucket] = total
  return totals
}

/** The policies of a tenant, by name, for the filter. */
export const policies = Effect.fnUntraced(function* (tenantId: string) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql`SELECT DISTINCT policy_id AS policy FROM records
    WHERE tenant_id = ${tenantId} AND policy_id IS NOT NULL ORDER BY 1 LIMIT 200`
  return (yield* Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ policy: Schema.String })))(rows)).map(
    ({ policy }) => policy
  )
})
