/**
 * The routes of the ledger as an `HttpApi`: what is sent, what comes back, under which status.
 *
 * The contract fixes the order of the checks and every error body, so the handlers answer by themselves; this definition
 * is what the documentation is made of and what the routes are named by.
 */
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { decisionTypes } from "../../decision/Decision.ts"
import { version } from "../../Version.ts"
import { actions } from "../records/InterventionPayload.ts"
import { basePath } from "./Origin.ts"

const JsonObject = Schema.Record(Schema.String, Schema.Json)
const nullable = <S extends Schema.Constraint>(schema: S) => Schema.NullOr(schema)

/** An error as the ledger writes it. */
const failure = <const Status extends number>(status: Status, code: string) =>
  Schema.Struct({ error: Schema.String, code: Schema.Literal(code) }).pipe(HttpApiSchema.status(status))

const unauthorized = failure(401, "UNAUTHORIZED")
const forbidden = failure(403, "FORBIDDEN")
const internalError = failure(500, "INTERNAL_ERROR")

/** The body of `POST /records`. */
export const NewRecord = Schema.Struct({
  input: JsonObject,
  output: JsonObject,
  context: Schema.optionalKey(JsonObject),
  policyId: Schema.optionalKey(Schema.String),
  policyVersion: Schema.optionalKey(Schema.String),
  decisionType: Schema.optionalKey(Schema.Literals(decisionTypes)),
  confidence: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))),
  processingTime: Schema.optionalKey(Schema.Finite),
  storePayload: Schema.optionalKey(Schema.Boolean)
})

const Receipt = Schema.Struct({
  success: Schema.Literal(true),
  transaction_id: Schema.String,
  receipt_url: Schema.String,
  timestamp: Schema.String,
  record_hash: Schema.String,
  chain_position: Schema.Literals(["genesis", "chained"])
})

const ListedRecord = Schema.Struct({
  id: Schema.String,
  transactionId: Schema.String,
  policyId: nullable(Schema.String),
  policyVersion: nullable(Schema.String),
  decisionType: nullable(Schema.String),
  confidence: nullable(Schema.Finite),
  processingTime: nullable(Schema.Int),
  isVerified: Schema.Boolean,
  verifiedAt: Schema.String,
  timestamp: Schema.String,
  recordHash: Schema.String
})

const RecordPage = Schema.Struct({
  records: Schema.Array(ListedRecord),
  pagination: Schema.Struct({ page: Schema.Int, limit: Schema.Int, total: Schema.Int, pages: Schema.Int })
})

const Verification = Schema.Struct({
  transaction_id: Schema.String,
  is_valid: Schema.Boolean,
  status: Schema.Literals(["VERIFIED", "TAMPERED"]),
  verification: Schema.Record(Schema.String, Schema.Boolean),
  metadata: JsonObject,
  chain: JsonObject,
  tenant: Schema.Struct({ name: Schema.String }),
  checkpoint: Schema.Null,
  verified_at: Schema.String
})

const records = HttpApiGroup.make("records")
  .add(
    HttpApiEndpoint.post("record", "/records", {
      payload: NewRecord,
      success: Receipt.pipe(HttpApiSchema.status(201)),
      error: [
        failure(400, "VALIDATION_ERROR"),
        unauthorized,
        failure(402, "LIMIT_EXCEEDED"),
        forbidden,
        failure(409, "IDEMPOTENCY_CONFLICT"),
        failure(413, "PAYLOAD_TOO_LARGE"),
        failure(429, "RATE_LIMIT_EXCEEDED"),
        internalError
      ]
    }),
    HttpApiEndpoint.get("list", "/records", {
      query: {
        page: Schema.optionalKey(Schema.String),
        limit: Schema.optionalKey(Schema.String),
        search: Schema.optionalKey(Schema.String),
        policyId: Schema.optionalKey(Schema.String)
      },
      success: RecordPage,
      error: [unauthorized, failure(400, "VALIDATION_ERROR"), internalError]
    })
  )
  .prefix(basePath)

const verification = HttpApiGroup.make("verification")
  .add(
    HttpApiEndpoint.get("verify", "/verify/:id", {
      params: { id: Schema.String },
      success: Verification,
      error: [failure(404, "NOT_FOUND"), failure(500, "VERIFICATION_ERROR")]
    })
  )
  .prefix(basePath)

const id = { id: Schema.String }

const NewIntervention = Schema.Struct({
  action: Schema.Literals(actions),
  reason: Schema.optionalKey(Schema.String),
  notes: Schema.optionalKey(Schema.String),
  metadata: Schema.optionalKey(JsonObject),
  newOutcome: Schema.optionalKey(JsonObject),
  actorUserId: Schema.optionalKey(Schema.String),
  actorName: Schema.optionalKey(Schema.String),
  actorEmail: Schema.optionalKey(Schema.String),
  actorRole: Schema.optionalKey(Schema.String)
})

const Registered = Schema.Struct({
  success: Schema.Literal(true),
  intervention_id: Schema.String,
  transaction_id: Schema.String,
  action: Schema.Literals(actions),
  timestamp: Schema.String,
  actor: Schema.Struct({ name: nullable(Schema.String), email: nullable(Schema.String) })
})

const InterventionList = Schema.Struct({
  transaction_id: Schema.String,
  interventions: Schema.Array(JsonObject),
  total: Schema.Int
})

const interventions = HttpApiGroup.make("interventions")
  .add(
    HttpApiEndpoint.post("intervene", "/records/:id/intervene", {
      params: id,
      payload: NewIntervention,
      success: Registered.pipe(HttpApiSchema.status(201)),
      error: [failure(400, "INTERVENTION_FAILED"), unauthorized, forbidden, internalError]
    }),
    HttpApiEndpoint.get("interventions", "/records/:id/intervene", {
      params: id,
      success: InterventionList,
      error: [unauthorized, internalError]
    })
  )
  .prefix(basePath)

const Bundle = Schema.Struct({
  success: Schema.Literal(true),
  transaction_id: Schema.String,
  exported_at: Schema.String,
  bundle: JsonObject
})

const exportErrors = [unauthorized, forbidden, failure(404, "NOT_FOUND"), internalError] as const

const exporting = HttpApiGroup.make("export")
  .add(
    HttpApiEndpoint.get("describe", "/export/:id", { params: id, success: JsonObject }),
    HttpApiEndpoint.post("export", "/export/:id", {
      params: id,
      success: Bundle,
      error: [failure(400, "INVALID_ID"), failure(402, "LIMIT_EXCEEDED"), ...exportErrors]
    }),
    HttpApiEndpoint.get("download", "/export/:id/download", {
      params: id,
      success: Schema.Uint8Array.pipe(HttpApiSchema.asUint8Array({ contentType: "application/zip" })),
      error: exportErrors
    }),
    HttpApiEndpoint.get("publicKeys", "/public-keys", { success: JsonObject, error: internalError })
  )
  .prefix(basePath)

/** The routes of the ledger. */
export class LedgerApi extends HttpApi.make("xase-ledger")
  .add(records, verification, interventions, exporting)
  .annotate(OpenApi.Title, "Xase ledger")
  .annotate(OpenApi.Version, version) {}
