/**
 * `POST /records` over HTTP: who asks, may they, under which key; then the {@link Recorder}; then its answer.
 *
 * This is the one route that carries load, and the router and the typed endpoint cost as much as all of its own work. So
 * the gate hands these requests here directly; the endpoint in `Api` remains for the documentation and answers the same.
 */

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { isHash } from "../../evidence/Json.ts"
import { ApiKeys } from "../keys/ApiKeys.ts"
import { LedgerSettings, type Settings } from "../LedgerSettings.ts"
import { isIdempotencyKey } from "../records/IdempotencyKeys.ts"
import { Recorder, type Recording } from "../records/RecordAppender.ts"
import * as Answers from "./Answers.ts"
import { Origin } from "./Origin.ts"
import { readText } from "./RequestBody.ts"

/** `POST /records` over HTTP. */
export class RecordRoute extends Context.Service<
  RecordRoute,
  { readonly handle: (request: HttpServerRequest) => Effect.Effect<HttpServerResponse> }
>()("xase-sdk/RecordRoute") {}

/** The route, over the ledger's keys and its recorder. */
export const layer: Layer.Layer<RecordRoute, never, ApiKeys | LedgerSettings | Origin | Recorder> = Layer.effect(
  RecordRoute,
  Effect.gen(function* () {
    const settings = yield* LedgerSettings
    const keys = yield* ApiKeys
    const recorder = yield* Recorder
    const { origin } = yield* Origin
    const toAnswer = answerOf(settings)

    const unread = ({ _tag }: { readonly _tag: "BodyTooLarge" | "BodyUnreadable" }): HttpServerResponse =>
      _tag === "BodyTooLarge" ? Answers.payloadTooLarge(settings.maxBodyBytes ?? 0) : Answers.internalError

    return {
      handle: (request) => {
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
        const named = request.headers["x-xase-fingerprint"] ?? ""
        const fingerprint = isHash(named) ? named : undefined
        return Effect.matchEffect(readText(request, settings.maxBodyBytes), {
          onSuccess: (body) =>
            Effect.map(recorder.record({ caller, idempotencyKey, fingerprint, body, origin }), toAnswer),
          onFailure: (error) => Effect.succeed(unread(error))
        })
      }
    }
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
