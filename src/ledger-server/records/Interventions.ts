/**
 * What people did about decisions: appended, listed, never changed.
 *
 * Interventions stand beside the chain and not in it, as on the public ledger; the database itself refuses to change them.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { InterventionPayload } from "./InterventionPayload.ts"

const nullableText = Schema.NullOr(Schema.String)
const nullableJson = Schema.NullOr(Schema.fromJsonString(Schema.Json))

/** An intervention as the ledger keeps it; decoded from a row of the `interventions` table. */
export const Intervention = Schema.Struct({
  sequence: Schema.Int,
  transactionId: Schema.String,
  action: Schema.String,
  actorUserId: nullableText,
  actorName: nullableText,
  actorEmail: nullableText,
  actorRole: nullableText,
  reason: nullableText,
  notes: nullableText,
  metadata: nullableJson,
  newOutcome: nullableJson,
  timestamp: Schema.Int
}).pipe(
  Schema.encodeKeys({
    transactionId: "transaction_id",
    actorUserId: "actor_user_id",
    actorName: "actor_name",
    actorEmail: "actor_email",
    actorRole: "actor_role",
    newOutcome: "new_outcome"
  })
)

/** See the schema of the same name. */
export type Intervention = typeof Intervention.Type

type Failure = SqlError | Schema.SchemaError

/** The interventions of the ledger. */
export class Interventions extends Context.Service<
  Interventions,
  {
    /** Adds one to a record of the tenant. */
    readonly add: (
      tenantId: string,
      transactionId: string,
      payload: InterventionPayload
    ) => Effect.Effect<Intervention, Failure>
    /** All of a record, oldest first; none for the record of another tenant. */
    readonly list: (tenantId: string, transactionId: string) => Effect.Effect<ReadonlyArray<Intervention>, Failure>
  }
>()("xase-sdk/Interventions") {}

const decode = Schema.decodeUnknownEffect(Schema.Array(Intervention))
const decodeOne = Schema.decodeUnknownEffect(Schema.Tuple([Intervention]))

const jsonOrNull = (value: object | undefined): string | null => (value === undefined ? null : JSON.stringify(value))

/** Interventions in the ledger's database. */
export const layer: Layer.Layer<Interventions, never, SqlClient.SqlClient> = Layer.effect(
  Interventions,
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    return {
      add: Effect.fnUntraced(function* (tenantId, transactionId, payload) {
        const timestamp = yield* Clock.currentTimeMillis
        const rows = yield* sql`INSERT INTO interventions ${sql.insert({
          tenant_id: tenantId,
          transaction_id: transactionId,
          action: payload.action,
          actor_user_id: payload.actorUserId ?? null,
          actor_name: payload.actorName ?? null,
          actor_email: payload.actorEmail ?? null,
          actor_role: payload.actorRole ?? null,
          reason: payload.reason ?? null,
          notes: payload.notes ?? null,
          metadata: jsonOrNull(payload.metadata),
          new_outcome: jsonOrNull(payload.newOutcome),
          timestamp
        })} RETURNING *`
        const [intervention] = yield* decodeOne(rows)
        return intervention
      }),
      list: (tenantId, transactionId) =>
        Effect.flatMap(
          sql`SELECT * FROM interventions WHERE transaction_id = ${transactionId} AND tenant_id = ${tenantId}
            ORDER BY sequence`,
          decode
        )
    }
  })
)

/** The id under which an intervention is known outside. */
export const idOf = ({ sequence }: Intervention): string => `int_${sequence}`
