/**
 * What the ledger's owner can do while it runs, with the admin key: faults and tampering. And its health, which anybody
 * may ask for.
 *
 * `GET` and `PUT /admin/faults`, `POST /admin/tamper`, with the header `X-Admin-Key`; `GET /health`.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { NodeSqlite } from "../../sql/NodeSqlite.ts"
import { version } from "../../Version.ts"
import { FaultSettings, Faults } from "../faults/Faults.ts"
import { Tampering, tamper } from "../faults/Tampering.ts"
import { LedgerSettings } from "../LedgerSettings.ts"
import * as Answers from "./Answers.ts"
import { readText } from "./RequestBody.ts"

const decodeFaults = Schema.decodeUnknownEffect(Schema.fromJsonString(FaultSettings), { onExcessProperty: "error" })
const decodeTampering = Schema.decodeUnknownEffect(Schema.fromJsonString(Tampering))

const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Digests have one length whatever bytes a header brings, and comparing them takes one time. */
const isSame = (given: string, expected: string): boolean => timingSafeEqual(digestOf(given), digestOf(expected))

/** Answers only the owner. A body that is not what it should be is 400 with the reason. */
const asOwner = <R>(answer: (body: string) => Effect.Effect<HttpServerResponse, { readonly message: string }, R>) =>
  Effect.gen(function* () {
    const { adminKey, maxBodyBytes } = yield* LedgerSettings
    const request = yield* HttpServerRequest
    const given = request.headers["x-admin-key"] ?? ""
    if (!isSame(given, adminKey)) return Answers.unauthorized("Missing or wrong X-Admin-Key header")
    return yield* readText(request, maxBodyBytes).pipe(
      Effect.flatMap(answer),
      Effect.catch((error) => Effect.succeed(Answers.json(400, { error: error.message, code: "VALIDATION_ERROR" })))
    )
  })

const showFaults = Effect.flatMap(Faults, (faults) =>
  Effect.map(faults.current, (current) => Answers.json(200, current))
)

const setFaults = (body: string) =>
  Effect.flatMap(Faults, (faults) => decodeFaults(body).pipe(Effect.flatMap(faults.set), Effect.andThen(showFaults)))

const change = (body: string) =>
  Effect.flatMap(NodeSqlite, (sqlite) =>
    decodeTampering(body).pipe(
      Effect.flatMap((tampering) => tamper(sqlite, tampering)),
      Effect.map((tampered) => Answers.json(200, { transaction_ids: tampered }))
    )
  )

const health = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`SELECT 1`
  return Answers.json(200, { status: "ok", version })
}).pipe(
  Effect.catch(() => Effect.succeed(Answers.json(503, { status: "failed", error: "the database does not answer" })))
)

/** The routes. */
export const layer = Layer.mergeAll(
  HttpRouter.add("GET", "/health", health),
  HttpRouter.add(
    "GET",
    "/admin/faults",
    asOwner(() => showFaults)
  ),
  HttpRouter.add("PUT", "/admin/faults", asOwner(setFaults)),
  HttpRouter.add("POST", "/admin/tamper", asOwner(change))
)
