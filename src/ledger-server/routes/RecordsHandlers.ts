/**
 * `POST /records` and `GET /records`.
 */
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { ApiKeys } from "../keys/ApiKeys.ts"
import { LedgerSettings } from "../LedgerSettings.ts"
import * as Paging from "../records/Paging.ts"
import { isoTime, type StoredRecord } from "../records/RecordRow.ts"
import { Store } from "../records/Store.ts"
import * as Answers from "./Answers.ts"
import { LedgerApi } from "./Api.ts"
import { RecordRoute } from "./RecordRoute.ts"

/** The handlers of the records group. */
export const layer = HttpApiBuilder.group(
  LedgerApi,
  "records",
  Effect.fnUntraced(function* (handlers) {
    const settings = yield* LedgerSettings
    const keys = yield* ApiKeys
    const recording = yield* RecordRoute
    const store = yield* Store

    const list = Effect.fnUntraced(
      function* ({ query, request }: { readonly query: Paging.Query; readonly request: HttpServerRequest }) {
        const authentication = keys.authenticate(request.headers)
        if (authentication._tag === "Refused") return Answers.unauthorized(authentication.error)
        const paging = settings.compat === "public" ? Paging.readPublic(query) : Paging.read(query)
        if (paging._tag === "Refused") {
          return paging.issues === undefined ? Answers.internalError : Answers.invalidPayload(paging.issues)
        }
        const { limit, page } = paging
        const { records, total } = yield* store.list({
          tenantId: authentication.caller.tenantId,
          page,
          limit,
          search: query.search || undefined,
          policyId: query.policyId || undefined
        })
        const pages = limit === 0 ? null : Math.ceil(total / limit)
        return Answers.json(200, { records: records.map(toListed), pagination: { page, limit, total, pages } })
      },
      Effect.catch(() => Effect.succeed(Answers.internalError))
    )

    return handlers.handleRaw("record", ({ request }) => recording.handle(request)).handleRaw("list", list)
  })
)

const toListed = (record: StoredRecord) => ({
  id: `rec_${record.sequence}`,
  transactionId: record.transactionId,
  policyId: record.policyId,
  policyVersion: record.policyVersion,
  decisionType: record.decisionType,
  confidence: record.confidence,
  processingTime: record.processingTime,
  isVerified: true,
  verifiedAt: isoTime(record.timestamp),
  timestamp: isoTime(record.timestamp),
  recordHash: record.recordHash
})
