/**
 * The ledger's answers: every status with its code, word for word as the contract has them.
 */
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { Usage } from "../records/Quotas.ts"
import type { Standing } from "../records/RecordAppender.ts"
import type { Issue } from "../records/RecordPayload.ts"

type Headers = Record<string, string>

/** A JSON answer. */
export const json = (status: number, body: object, headers: Headers = {}): HttpServerResponse.HttpServerResponse =>
  jsonText(status, JSON.stringify(body), headers)

/** A JSON answer whose text is there already. */
export const jsonText = (status: number, text: string, headers: Headers): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(text, { status, contentType: "application/json", headers })

/** 401: who asks is unknown. */
export const unauthorized = (error: string) => json(401, { error, code: "UNAUTHORIZED" })

/** 403: who asks is not allowed to. */
export const forbidden = (error: string, permission: string) =>
  json(403, { error, code: "FORBIDDEN", required_permission: permission })

/** 400: an idempotency key of the wrong form. */
export const invalidIdempotencyKey = json(400, {
  error: "Invalid Idempotency-Key format",
  code: "INVALID_IDEMPOTENCY_KEY",
  hint: "Use UUID v4 or alphanumeric string (16-64 chars)"
})

/** 400: a body of the wrong shape, with all issues. */
export const invalidPayload = (issues: ReadonlyArray<Issue>) =>
  json(400, { error: "Invalid payload", code: "VALIDATION_ERROR", details: issues })

/** 402: the plan is used up. */
export const limitExceeded = (usage: Usage) => json(402, { error: "Limit exceeded", usage, code: "LIMIT_EXCEEDED" })

/** 409: the idempotency key was used for another body. */
export const idempotencyConflict = json(409, {
  error: "Idempotency-Key was already used with a different request body",
  code: "IDEMPOTENCY_CONFLICT",
  hint: "Send the first body again to get its receipt, or use a new key for a new record"
})

/** 413: a body that is too large. */
export const payloadTooLarge = (maxBytes: number) =>
  json(413, { error: `Request body is larger than ${maxBytes} bytes`, code: "PAYLOAD_TOO_LARGE", max_bytes: maxBytes })

/** 429, with every form of "later" that is true. */
export const rateLimited = ({ allowance, limit }: NonNullable<Standing>, now: number) => {
  const seconds = Math.ceil((allowance.resetAt - now) / 1000)
  return json(
    429,
    { error: "Rate limit exceeded", code: "RATE_LIMIT_EXCEEDED", retry_after: seconds },
    { ...limitHeaders(limit, 0), "x-ratelimit-reset": String(allowance.resetAt), "retry-after": String(seconds) }
  )
}

/** 429 as the public ledger says it: always an hour, whatever the window is. */
export const rateLimitedPublic = (limit: number, now: number) =>
  json(
    429,
    { error: "Rate limit exceeded", code: "RATE_LIMIT_EXCEEDED", retry_after: 3600 },
    { ...limitHeaders(limit, 0), "x-ratelimit-reset": String(now + 3_600_000) }
  )

/** The headers that say how far a caller is from its limit. */
export const limitHeaders = (limit: number, remaining: number): Headers => ({
  "x-ratelimit-limit": String(limit),
  "x-ratelimit-remaining": String(remaining)
})

/** 400: an intervention that cannot be made. */
export const interventionFailed = (error: string) => json(400, { error, code: "INTERVENTION_FAILED" })

/** 400: an id of the wrong form. */
export const invalidId = json(400, { error: "Invalid transaction ID format", code: "INVALID_ID" })

/** 404 of the download, which has an error form of its own. */
export const exportError = (message: string) => json(404, { error: "EXPORT_ERROR", message })

/** 404: no such record. */
export const notFound = json(404, { error: "Record not found", code: "NOT_FOUND" })

/** 404: no such page. */
export const noSuchPath = HttpServerResponse.text(
  '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>404: This page could not be found</title></head>' +
    "<body><h1>404</h1><p>This page could not be found.</p></body></html>",
  { status: 404, contentType: "text/html; charset=utf-8" }
)

/** 405: the path is known, the method is not. */
export const methodNotAllowed = HttpServerResponse.empty({ status: 405 })

/** 421: addressed by a name that is not this ledger's. */
export const foreignHost = json(421, {
  error: "This ledger does not answer to that Host header",
  code: "HOST_NOT_ALLOWED",
  hint: "Address it as localhost or 127.0.0.1, or start it with allowedHosts"
})

/** 500: malformed JSON, what the database refuses, a database that fails. */
export const internalError = json(500, { error: "Internal server error", code: "INTERNAL_ERROR" })

/** 500 of the verification. */
export const verificationError = json(500, { error: "Verification failed", code: "VERIFICATION_ERROR" })
