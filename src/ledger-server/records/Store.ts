/**
 * Where records live: appended under a write lock, found by id, listed by page.
 *
 * An append is one synchronous transaction over the built-in driver, so that appends of one process cannot interleave
 * and appends of several wait for each other: the chain of a tenant stays a line. Reads go through `SqlClient`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as SqlSchema from "effect/sql/SqlSchema"
import { NodeSqlite } from "../../sql/NodeSqlite.ts"
import * as Chain from "./Chain.ts"
import type { RecordPayload } from "./RecordPayload.ts"
import { StoredRecord } from "./RecordRow.ts"
import type { Seals } from "./Seal.ts"
import * as TransactionId from "./TransactionId.ts"

/** The last record of a chain. */
export interface Head {
  readonly position: number
  /** `null` before the first record. */
  readonly recordHash: string | null
}

/** What an append needs. */
export interface Draft {
  readonly tenantId: string
  readonly payload: RecordPayload
  readonly hashes: Chain.PayloadHashes
  /** Epoch milliseconds. */
  readonly timestamp: number
}

/** What was appended. */
export interface Appended {
  readonly transactionId: string
  readonly previousHash: string | null
  readonly recordHash: string
  readonly timestamp: number
}

/** Which records to list. */
export interface Listing {
  readonly tenantId: string
  readonly page: number
  readonly limit: number
  readonly search?: string | undefined
  readonly policyId?: string | undefined
}

/** Reads fail with what the database says, or when a row is not what it should be. */
export type ReadError = SqlError | Schema.SchemaError

/** The records of the ledger. */
export class Store extends Context.Service<
  Store,
  {
    /** The end of a tenant's chain. Throws what SQLite throws. */
    readonly head: (tenantId: string) => Head
    /**
     * Appends a record after the head. Only inside `NodeSqlite.transaction`, with the head read in the same transaction,
     * is it certain that the chain does not fork. Throws what SQLite throws.
     */
    readonly append: (draft: Draft, head: Head) => Appended
    /**
     * Appends a record after a head that may be stale, as the public ledger does: the chain forks, or, if the same
     * record was appended after the same head, it throws.
     */
    readonly appendAfterStale: (draft: Draft, stale: Head) => Appended
    readonly find: (transactionId: string) => Effect.Effect<Option.Option<StoredRecord>, ReadError>
    /** Newest first, with the number of all records that match. */
    readonly list: (
      listing: Listing
    ) => Effect.Effect<{ readonly records: ReadonlyArray<StoredRecord>; readonly total: number }, ReadError>
    /** The record at a place in a tenant's chain. */
    readonly at: (tenantId: string, position: number) => Effect.Effect<Option.Option<StoredRecord>, ReadError>
    /** The first record behind this one that names it as its predecessor; not always the next one if the chain forks. */
    readonly successor: (record: StoredRecord) => Effect.Effect<Option.Option<StoredRecord>, ReadError>
    /** The name of a tenant. */
    readonly tenantName: (tenantId: string) => Effect.Effect<Option.Option<string>, ReadError>
    readonly seals: Seals
  }
>()("xase-sdk/Store") {}

const selectHead = "SELECT position, record_hash FROM records WHERE tenant_id = ? ORDER BY position DESC LIMIT 1"

const selectCollision = "SELECT 1 FROM records WHERE tenant_id = ? AND position > ? AND record_hash = ?"

const insertRecord = `INSERT INTO records (tenant_id, position, transaction_id, timestamp, policy_id, policy_version,
  decision_type, confidence, processing_time, input_hash, output_hash, context_hash, previous_hash, record_hash,
  input_payload, output_payload, context_payload, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

const keep = (payload: RecordPayload, part: object | undefined): string | null =>
  payload.storePayload && part !== undefined ? JSON.stringify(part) : null

/** Records in the ledger's database. */
export const layer = (seals: Seals): Layer.Layer<Store, never, NodeSqlite | SqlClient.SqlClient> =>
  Layer.effect(
    Store,
    Effect.gen(function* () {
      const sqlite = yield* NodeSqlite
      const sql = yield* SqlClient.SqlClient

      const head = (tenantId: string): Head => {
        const row = sqlite.get(selectHead, tenantId)
        const position = row?.position
        const recordHash = row?.record_hash
        return {
          position: typeof position === "number" ? position : 0,
          recordHash: typeof recordHash === "string" ? recordHash : null
        }
      }

      const append = (draft: Draft, head: Head): Appended => {
        const { hashes, payload, tenantId, timestamp } = draft
        const previousHash = head.recordHash
        const { recordHash } = Chain.link(previousHash, hashes)
        const record = {
          tenantId,
          position: head.position + 1,
          transactionId: TransactionId.make(timestamp),
          timestamp,
          policyId: payload.policyId ?? null,
          policyVersion: payload.policyVersion ?? null,
          decisionType: payload.decisionType ?? null,
          confidence: payload.confidence ?? null,
          processingTime: payload.processingTime ?? null,
          inputHash: hashes.inputHash,
          outputHash: hashes.outputHash,
          contextHash: hashes.contextHash,
          previousHash,
          recordHash,
          inputPayload: keep(payload, payload.input),
          outputPayload: keep(payload, payload.output),
          contextPayload: keep(payload, payload.context)
        }
        sqlite.run(insertRecord, ...Object.values(record), seals.seal(record))
        return { transactionId: record.transactionId, previousHash, recordHash, timestamp }
      }

      const appendAfterStale = (draft: Draft, stale: Head): Appended => {
        const { recordHash } = Chain.link(stale.recordHash, draft.hashes)
        if (sqlite.get(selectCollision, draft.tenantId, stale.position, recordHash) !== undefined) {
          throw new Error(`there already is a record with the hash ${recordHash}`)
        }
        return append(draft, { recordHash: stale.recordHash, position: head(draft.tenantId).position })
      }

      const findOne = SqlSchema.findOneOption({
        Request: Schema.String,
        Result: StoredRecord,
        execute: (id) => sql`SELECT * FROM records WHERE transaction_id = ${id}`
      })

      const matching = ({ policyId, search, tenantId }: Listing) =>
        sql.and([
          sql`tenant_id = ${tenantId}`,
          ...(policyId === undefined ? [] : [sql`policy_id = ${policyId}`]),
          ...(search === undefined
            ? []
            : [sql`(instr(transaction_id, ${search}) > 0 OR instr(coalesce(policy_id, ''), ${search}) > 0)`])
        ])

      const decodeRecords = Schema.decodeUnknownEffect(Schema.Array(StoredRecord))
      const decodeCounts = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ total: Schema.Int })]))

      const list = Effect.fnUntraced(function* (listing: Listing) {
        const offset = (listing.page - 1) * listing.limit
        const rows = yield* sql`SELECT * FROM records WHERE ${matching(listing)}
          ORDER BY position DESC LIMIT ${listing.limit} OFFSET ${offset}`
        const counted = yield* sql`SELECT count(*) AS total FROM records WHERE ${matching(listing)}`
        const [{ total }] = yield* decodeCounts(counted)
        return { records: yield* decodeRecords(rows), total }
      })

      const findAt = SqlSchema.findOneOption({
        Request: Schema.Struct({ tenantId: Schema.String, position: Schema.Int }),
        Result: StoredRecord,
        execute: ({ position, tenantId }) =>
          sql`SELECT * FROM records WHERE tenant_id = ${tenantId} AND position = ${position}`
      })

      const findSuccessor = SqlSchema.findOneOption({
        Request: Schema.Struct({ tenantId: Schema.String, position: Schema.Int, recordHash: Schema.String }),
        Result: StoredRecord,
        execute: ({ position, recordHash, tenantId }) =>
          sql`SELECT * FROM records WHERE tenant_id = ${tenantId} AND position > ${position}
            AND previous_hash = ${recordHash} ORDER BY position LIMIT 1`
      })

      const findTenant = SqlSchema.findOneOption({
        Request: Schema.String,
        Result: Schema.Struct({ name: Schema.String }),
        execute: (id) => sql`SELECT name FROM tenants WHERE id = ${id}`
      })

      return {
        head,
        append,
        appendAfterStale,
        find: findOne,
        list,
        at: (tenantId, position) => findAt({ tenantId, position }),
        successor: findSuccessor,
        tenantName: (tenantId) =>
          Effect.map(findTenant(tenantId), (found) => found.pipe(Option.map((row) => row.name))),
        seals
      }
    })
  )
