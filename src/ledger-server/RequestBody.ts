/**
 * The body of a request as text, no larger than the ledger takes.
 */
import * as Effect from "effect/Effect"
import { isHttpServerError } from "effect/http/HttpServerError"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Schema from "effect/Schema"

/** A body that is larger than the ledger takes. */
export class BodyTooLarge extends Schema.TaggedError<BodyTooLarge>()("BodyTooLarge", {}) {}

/** A body that did not arrive. */
export class BodyUnreadable extends Schema.TaggedError<BodyUnreadable>()("BodyUnreadable", {
  cause: Schema.Defect()
}) {}

/**
 * Reads a body. The limit is `HttpIncomingMessage.MaxBodySize`; a declared length above it is refused before a byte is
 * read.
 */
export const readText = (
  request: HttpServerRequest,
  maxBytes: number | undefined
): Effect.Effect<string, BodyTooLarge | BodyUnreadable> => {
  if (maxBytes !== undefined && Number(request.headers["content-length"] ?? 0) > maxBytes) return new BodyTooLarge({})
  return Effect.mapError(request.text, (error) =>
    isHttpServerError(error) && error.reason._tag === "RequestParseError" && error.reason.reason === "BodyTooLarge"
      ? new BodyTooLarge({})
      : new BodyUnreadable({ cause: error })
  )
}
