/**
 * Tampering on request: what somebody with write access to the database could do behind the ledger's back.
 *
 * For tests and demonstrations of what verification notices. The triggers that make records immutable are taken away
 * for the moment of the change, and put back.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Sqlite } from "../../sql/Sqlite.ts"
import { immutabilityTriggers } from "../database/Migrations.ts"
import * as TransactionId from "../records/TransactionId.ts"

/** The fields of a record that can be edited. */
const fields = [
  "timestamp",
  "policyId",
  "policyVersion",
  "decisionType",
  "confidence",
  "processingTime",
  "inputHash",
  "outputHash",
  "contextHash",
  "previousHash",
  "recordHash",
  "inputPayload",
  "outputPayload",
  "contextPayload",
  "position"
] as const

const columnOf = (field: (typeof fields)[number]): string =>
  field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/**
 * A change behind the ledger's back.
 *
 * - `edit`: another value in one field of a record; `null` removes it.
 * - `delete`: the record disappears.
 * - `insert`: a copy of a record, with an id and a hash of its own, at the end of the chain.
 * - `reorder`: two records change places.
 * - `fork`: a copy of a record that names the same predecessor.
 * - `truncate`: the record and all after it disappear.
 */
export const Tampering = Schema.Union([
  Schema.Struct({
    type: Schema.Literal("edit"),
    transactionId: Schema.String,
    field: Schema.Literals(fields),
    value: Schema.NullOr(Schema.Union([Schema.String, Schema.Finite]))
  }),
  Schema.Struct({ type: Schema.Literal("delete"), transactionId: Schema.String }),
  Schema.Struct({ type: Schema.Literal("insert"), transactionId: Schema.String }),
  Schema.Struct({ type: Schema.Literal("reorder"), transactionId: Schema.String, with: Schema.String }),
  Schema.Struct({ type: Schema.Literal("fork"), transactionId: Schema.String }),
  Schema.Struct({ type: Schema.Literal("truncate"), transactionId: Schema.String })
])

/** A change behind the ledger's back. */
export type Tampering = typeof Tampering.Type

/** A change that could not be made: no such record, or a value that the table does not take. */
export class TamperingFailed extends Schema.TaggedError<TamperingFailed>()("TamperingFailed", {
  detail: Schema.String
}) {
  override get message() {
    return `The records could not be tampered with: ${this.detail}`
  }
}

/** What was changed: the ids of the records that are not what they were, the made-up ones included. */
export type Tampered = ReadonlyArray<string>

/** Makes a change. */
export const tamper = (sqlite: Sqlite, change: Tampering): Effect.Effect<Tampered, TamperingFailed> =>
  Effect.try({
    try: () =>
      sqlite.transaction(() => {
        for (const name of immutabilityTriggers.keys()) sqlite.script(`DROP TRIGGER ${name}`)
        const tampered = apply(sqlite, change)
        for (const definition of immutabilityTriggers.values()) sqlite.script(definition)
        return tampered
      }),
    catch: (cause) => new TamperingFailed({ detail: cause instanceof Error ? cause.message : String(cause) })
  })

const apply = (sqlite: Sqlite, change: Tampering): Tampered => {
  const id = change.transactionId
  switch (change.type) {
    case "edit":
      return changed(
        id,
        sqlite.run(`UPDATE records SET ${columnOf(change.field)} = ? WHERE transaction_id = ?`, change.value, id)
      )
    case "delete":
      return changed(id, sqlite.run("DELETE FROM records WHERE transaction_id = ?", id))
    case "insert":
      return [
        copy(
          sqlite,
          id,
          "(SELECT record_hash FROM records WHERE tenant_id = r.tenant_id ORDER BY position DESC LIMIT 1)"
        )
      ]
    case "fork":
      return [copy(sqlite, id, "r.previous_hash")]
    case "truncate":
      return truncate(sqlite, id)
    case "reorder":
      return swap(sqlite, id, change.with)
  }
}

const changed = (id: string, rows: number): Tampered => {
  if (rows === 0) throw new Error(`there is no record ${id}`)
  return [id]
}

const truncate = (sqlite: Sqlite, id: string): Tampered => {
  const from = placeOf(sqlite, id)
  const tenant = "tenant_id = (SELECT tenant_id FROM records WHERE transaction_id = ?)"
  const rows = sqlite.all(`SELECT transaction_id FROM records WHERE position >= ? AND ${tenant}`, from, id)
  sqlite.run(`DELETE FROM records WHERE position >= ? AND ${tenant}`, from, id)
  return rows.map((row) => String(row.transaction_id))
}

const copied = `timestamp, policy_id, policy_version, decision_type, confidence, processing_time, input_hash, output_hash,
  context_hash, input_payload, output_payload, context_payload, seal`

/** A forger knows the mathematics of the chain, but not the key of the seals. */
const copy = (sqlite: Sqlite, id: string, previousHash: string): string => {
  const forged = TransactionId.make(timeOf(sqlite, id))
  const rows = sqlite.run(
    `INSERT INTO records (tenant_id, position, transaction_id, previous_hash, record_hash, ${copied})
      SELECT tenant_id, (SELECT max(position) + 1 FROM records WHERE tenant_id = r.tenant_id), ?, ${previousHash},
      lower(hex(randomblob(32))), ${copied} FROM records r WHERE transaction_id = ?`,
    forged,
    id
  )
  changed(id, rows)
  return forged
}

const timeOf = (sqlite: Sqlite, id: string): number =>
  Number(sqlite.get("SELECT timestamp FROM records WHERE transaction_id = ?", id)?.timestamp ?? 0)

const placeOf = (sqlite: Sqlite, id: string): number => {
  const position = sqlite.get("SELECT position FROM records WHERE transaction_id = ?", id)?.position
  if (typeof position !== "number") throw new Error(`there is no record ${id}`)
  return position
}

const swap = (sqlite: Sqlite, one: string, other: string): Tampered => {
  const places = [placeOf(sqlite, one), placeOf(sqlite, other)] as const
  const move = (id: string, position: number) =>
    sqlite.run("UPDATE records SET position = ? WHERE transaction_id = ?", position, id)
  move(one, -1)
  move(other, places[0])
  move(one, places[1])
  return [one, other]
}
