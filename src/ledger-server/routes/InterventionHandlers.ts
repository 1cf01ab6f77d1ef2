/**
 * `POST` and `GET /records/{id}/intervene`.
 */
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Option from "effect/Option"
import { ApiKeys } from "../keys/ApiKeys.ts"
import { LedgerSettings } from "../LedgerSettings.ts"
import * as InterventionPayload from "../records/InterventionPayload.ts"
import { type Intervention, Interventions, idOf } from "../records/Interventions.ts"
import { parse } from "../records/RecordPayload.ts"
import { isoTime } from "../records/RecordRow.ts"
import { Store } from "../records/Store.ts"
import * as Answers from "./Answers.ts"
import { LedgerApi } from "./Api.ts"
import { readText } from "./RequestBody.ts"

interface Asked {
  readonly params: { readonly id: string }
  readonly request: HttpServerRequest
}

/** The handlers of the interventions group. */
export const layer = HttpApiBuilder.group(
  LedgerApi,
  "interventions",
  Effect.fnUntraced(function* (handlers) {
    const { maxBodyBytes } = yield* LedgerSettings
    const keys = yield* ApiKeys
    const store = yield* Store
    const interventions = yield* Interventions

    const intervene = Effect.fnUntraced(
      function* ({ params, request }: Asked) {
        const authentication = keys.authenticate(request.headers)
        if (authentication._tag === "Refused") return Answers.unauthorized(authentication.error)
        const { permissions, tenantId } = authentication.caller
        if (!permissions.has("ingest")) {
          return Answers.forbidden("API key does not have permission to register interventions", "ingest")
        }
        const text = yield* readText(request, maxBodyBytes)
        const body = yield* Effect.try(() => parse(text))
        const parsed = InterventionPayload.validate(body)
        if (parsed._tag === "Invalid") return Answers.invalidPayload(parsed.issues)
        if (parsed._tag === "Refused") return Answers.interventionFailed(parsed.error)
        const found = yield* store.find(params.id)
        if (Option.isNone(found) || found.value.tenantId !== tenantId) {
          return Answers.interventionFailed("Decision record not found or does not belong to this tenant")
        }
        const added = yield* interventions.add(tenantId, params.id, parsed.payload)
        return Answers.json(201, {
          success: true,
          intervention_id: idOf(added),
          transaction_id: added.transactionId,
          action: added.action,
          timestamp: isoTime(added.timestamp),
          actor: { name: added.actorName, email: added.actorEmail }
        })
      },
      Effect.catchTag("BodyTooLarge", () => Effect.succeed(Answers.payloadTooLarge(maxBodyBytes ?? 0))),
      Effect.catch(() => Effect.succeed(Answers.internalError))
    )

    const list = Effect.fnUntraced(
      function* ({ params, request }: Asked) {
        const authentication = keys.authenticate(request.headers)
        if (authentication._tag === "Refused") return Answers.unauthorized(authentication.error)
        const found = yield* interventions.list(authentication.caller.tenantId, params.id)
        return Answers.json(200, {
          transaction_id: params.id,
          interventions: found.map(toListed),
          total: found.length
        })
      },
      Effect.catch(() => Effect.succeed(Answers.internalError))
    )

    return handlers.handleRaw("intervene", intervene).handleRaw("interventions", list)
  })
)

const toListed = (intervention: Intervention) => ({
  id: idOf(intervention),
  action: intervention.action,
  actor: {
    userId: intervention.actorUserId,
    name: intervention.actorName,
    email: intervention.actorEmail,
    role: intervention.actorRole
  },
  reason: intervention.reason,
  notes: intervention.notes,
  metadata: intervention.metadata,
  hasNewOutcome: intervention.newOutcome !== null,
  timestamp: isoTime(intervention.timestamp)
})
