/**
 * `POST /records` and `GET /records`.
 */
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Answers from "./Answers.ts"
import { LedgerApi } from "./Api.ts"
import { ApiKeys } from "./ApiKeys.ts"
import { isIdempotencyKey } from "./IdempotencyKeys.ts"
import { LedgerSettings, type Settings } from "./LedgerSettings.ts"
import { Origin } from "./Origin.ts"
import * as Paging from "./Paging.ts"
import { Recorder, type Recording } from "./Recorder.ts"
import { readText } from "./RequestBody.ts"
import { Store } from "./Store.ts"
import { isoTime, type StoredRecord } from "./StoredRecord.ts"

/** The handlers of the records group. */
export const layer = HttpApiBuilder.group(
  LedgerApi,
  "records",
  Effect.fnUntraced(function* (handlers) {
    const settings = yield* LedgerSettings
    const keys = yield* ApiKeys
    const recorder = yield* Recorder
    const store = yield* Store
    const { origin } = yield* Origin
    const toAnswer = answerOf(settings)

    const record = ({ request }: { readonly request: HttpServerRequest }): Effect.Effect<HttpServerResponse> => {
      const authentication = keys.authenticate(request.headers)
      if (authentication._tag === "Refused") return Effect.succeed(Answers.unauthorized(authentication.error))
      const { caller } = authentication
      if (!caller.permissions.has("ingest")) {
        return Effect.succeed(Answers.forbidden("API key does not have ingest permission", "ingest"))
      }
      const idempotencyKey = request.headers["idempotency-key"] || undefined
      if (idempotencyKey !== undefined && !isIdempotencyKey(idempotencyKey)) {
        return Effect.succeed(Answers.invalidIdempotencyKey)
      }
      return readText(request, settings.maxBodyBytes).pipe(
        Effect.flatMap((body) => recorder.record({ caller, idempotencyKey, body, origin })),
        Effect.map(toAnswer),
        Effect.catchTags({
          BodyTooLarge: () => Effect.succeed(Answers.payloadTooLarge(settings.maxBodyBytes ?? 0)),
          BodyUnreadable: () => Effect.succeed(Answers.internalError)
        })
      )
    }

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

    return handlers.handleRaw("record", record).handleRaw("list", list)
  })
)

const answerOf =
  ({ compat }: Settings) =>
  (recording: Recording): HttpServerResponse => {
    switch (recording._tag) {
      case "Recorded":
        return Answers.jsonText(201, recording.answer, standingHeaders(recording.standing, compat))
      case "Replayed":
        return Answers.jsonText(201, recording.answer, { "x-idempotency-replay": "true" })
      case "Conflict":
        return Answers.idempotencyConflict
      case "RateLimited":
        return compat === "public"
          ? Answers.rateLimitedPublic(recording.standing.limit, recording.now)
          : Answers.rateLimited(recording.standing, recording.now)
      case "QuotaExceeded":
        return Answers.limitExceeded(recording.usage)
      case "Invalid":
        return Answers.invalidPayload(recording.issues)
      case "Failed":
        return Answers.internalError
    }
  }

/** The public ledger counts one request too many, and so can say -1. */
const standingHeaders = (
  standing: Extract<Recording, { readonly _tag: "Recorded" }>["standing"],
  compat: Settings["compat"]
): Record<string, string> => {
  if (standing === undefined) return {}
  const { allowance, limit } = standing
  return Answers.limitHeaders(limit, compat === "public" ? allowance.remaining - 1 : allowance.remaining)
}

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
