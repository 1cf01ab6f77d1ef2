/**
 * `GET` and `POST /export/{id}`, `GET /export/{id}/download`, `GET /public-keys`: proof to take away.
 *
 * A bundle is for the tenant whose record it is; on the public ledger any key with the permission gets any record.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Option from "effect/Option"
import { NodeSqlite } from "../../sql/NodeSqlite.ts"
import { ApiKeys, type Caller } from "../keys/ApiKeys.ts"
import { LedgerSettings } from "../LedgerSettings.ts"
import * as ProofBundle from "../proofs/ProofBundle.ts"
import { algorithm, type SigningKey } from "../proofs/SigningKey.ts"
import * as Quotas from "../records/Quotas.ts"
import { isObject } from "../records/RecordPayload.ts"
import { isoTime, type StoredRecord } from "../records/RecordRow.ts"
import { Store } from "../records/Store.ts"
import { isTransactionId } from "../records/TransactionId.ts"
import * as Answers from "./Answers.ts"
import { LedgerApi } from "./Api.ts"
import { basePath } from "./Origin.ts"
import { readText } from "./RequestBody.ts"

/** The key that signs exports, as a service. */
export class CurrentSigningKey extends Context.Service<CurrentSigningKey, SigningKey>()("xase-sdk/SigningKey") {}

interface Asked {
  readonly params: { readonly id: string }
  readonly request: HttpServerRequest
}

const mayNot = "API key does not have export permission"
const mayNotExport = Answers.forbidden(mayNot, "export")
/** The download does not say which permission it wants (ledger contract). */
const mayNotDownload = Answers.json(403, { error: mayNot, code: "FORBIDDEN" })

/** The handlers of the export group. */
export const layer = HttpApiBuilder.group(
  LedgerApi,
  "export",
  Effect.fnUntraced(function* (handlers) {
    const settings = yield* LedgerSettings
    const keys = yield* ApiKeys
    const store = yield* Store
    const signingKey = yield* CurrentSigningKey
    const quotas = Quotas.make(yield* NodeSqlite, settings.quota)

    const callerOf = (
      request: HttpServerRequest,
      forbidden: HttpServerResponse.HttpServerResponse
    ): Caller | HttpServerResponse.HttpServerResponse => {
      const authentication = keys.authenticate(request.headers)
      if (authentication._tag === "Refused") return Answers.unauthorized(authentication.error)
      const { caller } = authentication
      return caller.permissions.has("export") ? caller : forbidden
    }

    const find = (caller: Caller, id: string) =>
      Effect.map(
        store.find(id),
        Option.filter((record) => settings.compat === "public" || record.tenantId === caller.tenantId)
      )

    const bundleOf = Effect.fnUntraced(function* (record: StoredRecord, includePayloads: boolean) {
      const tenantName = Option.getOrElse(yield* store.tenantName(record.tenantId), () => "unknown")
      const now = yield* Clock.currentTimeMillis
      return yield* Effect.try(() => ProofBundle.make({ record, tenantName, includePayloads, now }, signingKey))
    })

    const make = Effect.fnUntraced(
      function* ({ params, request }: Asked) {
        const caller = callerOf(request, mayNotExport)
        if (HttpServerResponse.isHttpServerResponse(caller)) return caller
        const text = yield* readText(request, settings.maxBodyBytes)
        const usage = quotas.usedUp(caller.tenantId)
        if (usage !== undefined) return Answers.limitExceeded(usage)
        if (!isTransactionId(params.id)) return Answers.invalidId
        const found = yield* find(caller, params.id)
        if (Option.isNone(found)) return Answers.notFound
        const { decision: _, ...bundle } = yield* bundleOf(found.value, asksForPayloads(text))
        const exportedAt = isoTime(yield* Clock.currentTimeMillis)
        return Answers.json(200, { success: true, transaction_id: params.id, exported_at: exportedAt, bundle })
      },
      Effect.catchTag("BodyTooLarge", () => Effect.succeed(Answers.payloadTooLarge(settings.maxBodyBytes ?? 0))),
      Effect.catch(() => Effect.succeed(Answers.internalError))
    )

    const download = Effect.fnUntraced(
      function* ({ params, request }: Asked) {
        const caller = callerOf(request, mayNotDownload)
        if (HttpServerResponse.isHttpServerResponse(caller)) return caller
        const found = yield* find(caller, params.id)
        if (Option.isNone(found)) return Answers.exportError("Record not found")
        const includePayloads = !request.url.includes("include_payloads=false")
        const zip = ProofBundle.toZip(yield* bundleOf(found.value, includePayloads))
        return HttpServerResponse.uint8Array(zip, {
          contentType: "application/zip",
          headers: { "content-disposition": `attachment; filename="evidence_${found.value.transactionId}.zip"` }
        })
      },
      Effect.catch(() => Effect.succeed(Answers.internalError))
    )

    const publicKeys = Effect.fnUntraced(
      function* () {
        const { fingerprint, pem } = yield* Effect.try(() => signingKey.publicKey())
        return Answers.json(200, {
          keys: [
            {
              key_id: fingerprint,
              fingerprint,
              algorithm,
              status: "active",
              public_key_pem: pem
            }
          ],
          metadata: {
            version: "1.0.0",
            updated_at: isoTime(yield* Clock.currentTimeMillis),
            notes: "Verify fingerprint against official channels before trusting signatures."
          }
        })
      },
      Effect.catch(() => Effect.succeed(Answers.internalError))
    )

    return handlers
      .handleRaw("describe", ({ params }: Asked) => Effect.succeed(Answers.json(200, description(params.id))))
      .handleRaw("export", make)
      .handleRaw("download", download)
      .handleRaw("publicKeys", publicKeys)
  })
)

/** A body that is no JSON asks for nothing. */
const asksForPayloads = (text: string): boolean => {
  try {
    const body: unknown = JSON.parse(text)
    return isObject(body) && body.include_payloads === true
  } catch {
    return false
  }
}

const description = (id: string) => ({
  endpoint: `POST ${basePath}/export/${id}`,
  description: "Generate proof bundle for a decision record",
  body: { include_payloads: "boolean (default: false)" },
  response: {
    manifest: "Proof manifest with hashes and metadata",
    payloads: "Optional: input/output/context data",
    verification_script: "Node.js script for offline verification"
  }
})
