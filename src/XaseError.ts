/**
 * Every error that the SDK reports, as tagged values.
 *
 * Each class is built where the fact is known and carries what a handler needs to act; its message says what happened,
 * what that means for the evidence and what to do. `code` is the word that the ledger and the Promise facade use,
 * `statusCode` the HTTP status where there is one. None carries the API key or a payload.
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

/** One thing that is wrong with a decision: where (`input.amount`, `context.tags[2]`) and what. */
export const Issue = Schema.Struct({ path: Schema.String, message: Schema.String })
export type Issue = typeof Issue.Type

/** How much of a plan's monthly quota is used, as the ledger reports it. */
export const QuotaUsage = Schema.Struct({
  used: Schema.optionalKey(Schema.Finite),
  limit: Schema.optionalKey(Schema.Finite),
  tier: Schema.optionalKey(Schema.String)
})
export type QuotaUsage = typeof QuotaUsage.Type

/** What an error means for the record: the ledger does not have it, may have it, or has it. */
export type EvidenceState = "not recorded" | "perhaps recorded" | "recorded"

/** The ledger refused the API key (401). Delivery stops sending and keeps its records. */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", { reason: Schema.String }) {
  readonly code = "UNAUTHORIZED"
  readonly statusCode = 401
  readonly evidence: EvidenceState = "not recorded"
  override get message() {
    return `The ledger refused the API key (401: ${this.reason}). The record was not taken. Check XASE_API_KEY and that the key was not revoked.`
  }
}

/** The API key lacks a permission (403). Delivery stops sending and keeps its records. */
export class Forbidden extends Schema.TaggedError<Forbidden>()("Forbidden", {
  requiredPermission: Schema.optionalKey(Schema.String)
}) {
  readonly code = "FORBIDDEN"
  readonly statusCode = 403
  readonly evidence: EvidenceState = "not recorded"
  override get message() {
    const permission =
      this.requiredPermission === undefined ? "the permission" : `the permission "${this.requiredPermission}"`
    return `The API key lacks ${permission} that this call needs (403). The record was not taken. Use a key that has it.`
  }
}

/**
 * The ledger takes no more requests for now (429).
 *
 * `retryAfter` is how long to wait, counted from when the answer arrived; `named` tells whether the ledger named that
 * time itself or the SDK's own backoff did.
 */
export class RateLimitExceeded extends Schema.TaggedError<RateLimitExceeded>()("RateLimitExceeded", {
  retryAfter: Schema.Duration,
  named: Schema.Boolean
}) {
  readonly code = "RATE_LIMIT_EXCEEDED"
  readonly statusCode = 429
  readonly evidence: EvidenceState = "not recorded"
  override get message() {
    return `The ledger's rate limit is reached (429). The record was not taken. Try again in ${Duration.format(this.retryAfter)}.`
  }
}

/** The plan's quota is used up (402). Delivery stops sending and keeps its records. */
export class QuotaExceeded extends Schema.TaggedError<QuotaExceeded>()("QuotaExceeded", { usage: QuotaUsage }) {
  readonly code = "LIMIT_EXCEEDED"
  readonly statusCode = 402
  readonly evidence: EvidenceState = "not recorded"
  override get message() {
    const { limit, tier, used } = this.usage
    const usage = used === undefined || limit === undefined ? "" : ` ${used} of ${limit} records are used.`
    return `The quota of the plan${tier === undefined ? "" : ` "${tier}"`} is used up (402).${usage} The record was not taken. Raise the plan or wait for the next period.`
  }
}

/**
 * The decision cannot become a record. `issues` names all problems at once, `statusCode` is 400 when it was the ledger
 * that refused it and absent when the SDK did, before anything was queued.
 */
export class ValidationError extends Schema.TaggedError<ValidationError>()("ValidationError", {
  issues: Schema.Array(Issue),
  statusCode: Schema.optionalKey(Schema.Number)
}) {
  readonly code = "VALIDATION_ERROR"
  readonly evidence: EvidenceState = "not recorded"
  override get message() {
    const issues = this.issues.map((issue) => (issue.path === "" ? issue.message : `${issue.path}: ${issue.message}`))
    return `The decision is not valid and was not recorded. ${issues.join("; ")}`
  }
}

/** The idempotency key is not a UUID v4 nor 16 to 64 characters of `A-Z a-z 0-9 _ -`. Nothing was queued or recorded. */
export class InvalidIdempotencyKey extends Schema.TaggedError<InvalidIdempotencyKey>()("InvalidIdempotencyKey", {
  problem: Schema.String,
  statusCode: Schema.optionalKey(Schema.Number)
}) {
  readonly code = "INVALID_IDEMPOTENCY_KEY"
  readonly evidence: EvidenceState = "not recorded"
  override get message() {
    return `The idempotency key ${this.problem}. The decision was not recorded. Use a UUID v4 or 16 to 64 characters of A-Z a-z 0-9 _ -.`
  }
}

/**
 * The same idempotency key (or `transactionId`) was already used for another decision, by this process or, with status
 * 409, on the ledger. The first decision stands; this one was not recorded.
 */
export class IdempotencyConflict extends Schema.TaggedError<IdempotencyConflict>()("IdempotencyConflict", {
  idempotencyKey: Schema.String,
  statusCode: Schema.optionalKey(Schema.Number)
}) {
  readonly code = "IDEMPOTENCY_CONFLICT"
  readonly evidence: EvidenceState = "not recorded"
  override get message() {
    return `The idempotency key ${this.idempotencyKey} already stands for another decision. The first one is kept, this one was not recorded. Give each decision its own transactionId.`
  }
}

/** The ledger has no record with this id (404). */
export class RecordNotFound extends Schema.TaggedError<RecordNotFound>()("RecordNotFound", {
  transactionId: Schema.optionalKey(Schema.String)
}) {
  readonly code = "NOT_FOUND"
  readonly statusCode = 404
  readonly evidence: EvidenceState = "not recorded"
  override get message() {
    return this.transactionId === undefined
      ? "The ledger has no such address (404). Nothing was recorded. Check XASE_BASE_URL: it ends in /api/xase/v1."
      : `The ledger has no record ${this.transactionId} (404). Check the id and that XASE_BASE_URL names the right ledger.`
  }
}

/**
 * The ledger answered with a status that has no meaning of its own here, such as a redirect (never followed: the API key
 * must not travel) or 413. `body` holds the first 500 characters of the answer.
 */
export class RequestFailed extends Schema.TaggedError<RequestFailed>()("RequestFailed", {
  status: Schema.Number,
  body: Schema.String
}) {
  readonly code = "REQUEST_FAILED"
  readonly evidence: EvidenceState = "not recorded"
  get statusCode() {
    return this.status
  }
  override get message() {
    const redirect = this.status >= 300 && this.status < 400
    return `The ledger answered ${this.status}${redirect ? ", a redirect, which is never followed" : ""}. The record was not taken. ${redirect ? "Point XASE_BASE_URL at the final address." : `It said: ${this.body}`}`
  }
}

/** The ledger answered 2xx, but not with a receipt: truncated, not JSON, or without the fields of a receipt. */
export class InvalidResponse extends Schema.TaggedError<InvalidResponse>()("InvalidResponse", {
  status: Schema.Number,
  problem: Schema.String
}) {
  readonly code = "INVALID_RESPONSE"
  readonly evidence: EvidenceState = "perhaps recorded"
  get statusCode() {
    return this.status
  }
  override get message() {
    return `The ledger answered ${this.status}, but ${this.problem}. The record is perhaps stored; sending it again with the same key is safe. Check that XASE_BASE_URL names a Xase ledger and no proxy answers in its place.`
  }
}

/** No answer came: the connection was refused, reset or could not be made. `reason` is the system's word for it. */
export class NetworkError extends Schema.TaggedError<NetworkError>()("NetworkError", {
  reason: Schema.String,
  connectionReset: Schema.Boolean
}) {
  readonly code = "NETWORK_ERROR"
  readonly evidence: EvidenceState = "perhaps recorded"
  override get message() {
    return `The ledger could not be reached (${this.reason}). A record that was on its way may not have arrived; sending it again with the same key is safe. Check XASE_BASE_URL and the network.`
  }
}

/** The answer did not arrive completely within the deadline, which covers everything from DNS to the last byte. */
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>()("RequestTimeout", {
  timeout: Schema.Duration
}) {
  readonly code = "TIMEOUT"
  readonly evidence: EvidenceState = "perhaps recorded"
  override get message() {
    return `The ledger did not answer within ${Duration.format(this.timeout)}. The record may be stored; sending it again with the same key is safe. Raise XASE_TIMEOUT if the ledger is slow.`
  }
}

/**
 * The ledger, or a proxy before it, failed: 5xx; 401 "Authentication error", which is its database being down; 408 and
 * 425, which ask to send again.
 */
export class ServerError extends Schema.TaggedError<ServerError>()("ServerError", {
  status: Schema.Number,
  reason: Schema.String,
  retryAfter: Schema.optionalKey(Schema.Duration)
}) {
  readonly code = "INTERNAL_ERROR"
  readonly evidence: EvidenceState = "perhaps recorded"
  get statusCode() {
    return this.status
  }
  override get message() {
    return `The ledger failed (${this.status}: ${this.reason}). The record is perhaps stored; sending it again with the same key is safe.`
  }
}

/** Sending was tried `attempts` times in vain. `kept` tells whether delivery keeps the record and goes on probing. */
export class MaxRetriesExceeded extends Schema.TaggedError<MaxRetriesExceeded>()("MaxRetriesExceeded", {
  attempts: Schema.Number,
  lastError: Schema.Union([NetworkError, RequestTimeout, ServerError, InvalidResponse]),
  kept: Schema.Boolean
}) {
  readonly code = "MAX_RETRIES"
  get evidence(): EvidenceState {
    return this.lastError.evidence
  }
  get statusCode() {
    return "status" in this.lastError ? this.lastError.status : undefined
  }
  override get message() {
    return `Sent ${this.attempts} time${this.attempts === 1 ? "" : "s"} in vain. ${this.lastError.message} ${
      this.kept ? "The record keeps its place and is sent when the ledger is back." : "It will not be sent again."
    }`
  }
}

/**
 * The outbox is full. `dropped` tells whether the record had been accepted and had to leave for a newer one
 * (`drop-oldest`), or was not accepted (`drop-newest`).
 */
export class QueueFull extends Schema.TaggedError<QueueFull>()("QueueFull", { dropped: Schema.Boolean }) {
  readonly code = "QUEUE_FULL"
  readonly evidence: EvidenceState = "not recorded"
  override get message() {
    return `The outbox is full, so ${this.dropped ? "its oldest record was dropped" : "this decision was not taken"}. It was not recorded. Raise XASE_QUEUE_MAX_SIZE, choose XASE_QUEUE_POLICY=backpressure, or find out why delivery is slow.`
  }
}

/** The client is closed. `started` tells whether sending the record had begun, so that the ledger may have it. */
export class QueueClosed extends Schema.TaggedError<QueueClosed>()("QueueClosed", { started: Schema.Boolean }) {
  readonly code = "QUEUE_CLOSED"
  get evidence(): EvidenceState {
    return this.started ? "perhaps recorded" : "not recorded"
  }
  override get message() {
    return this.started
      ? "The client was closed while this record was being sent. The ledger may have it. Give close() more time with XASE_SHUTDOWN_TIMEOUT."
      : "The client is closed and takes no more decisions. This one was not recorded. Close it after the last record()."
  }
}

/**
 * The durable outbox could not store the decision. `outbox` is its kind, `problem` what its engine said; `stored` tells
 * whether that is certain, or the answer got lost and the record may be stored (and then is delivered).
 */
export class OutboxUnavailable extends Schema.TaggedError<OutboxUnavailable>()("OutboxUnavailable", {
  outbox: Schema.String,
  problem: Schema.String,
  fix: Schema.String,
  stored: Schema.Literals(["no", "perhaps"])
}) {
  readonly code = "OUTBOX_UNAVAILABLE"
  get evidence(): EvidenceState {
    return this.stored === "no" ? "not recorded" : "perhaps recorded"
  }
  override get message() {
    const meaning =
      this.stored === "no"
        ? "The decision was not taken."
        : "The decision is perhaps stored, and then delivered; recording it again with the same transactionId is safe."
    return `The ${this.outbox} outbox is not available: ${this.problem}. ${meaning} ${this.fix}`
  }
}

/**
 * A record of a durable outbox is older than the ledger's memory of idempotency keys, and whether the ledger has it could
 * not be found out: sending it might record it twice, so it was set aside.
 */
export class PastIdempotencyWindow extends Schema.TaggedError<PastIdempotencyWindow>()("PastIdempotencyWindow", {
  idempotencyKey: Schema.String,
  reason: Schema.String
}) {
  readonly code = "PAST_IDEMPOTENCY_WINDOW"
  readonly evidence: EvidenceState = "perhaps recorded"
  override get message() {
    return `The record with key ${this.idempotencyKey} is older than the ledger's memory of keys, and whether the ledger has it is not known (${this.reason}). It was set aside and not sent again. Look for it in the ledger, then use xase outbox retry or discard.`
  }
}

/**
 * The customer's key did not sign the commitment of a record, so nothing was sent: a signed ledger must not have unsigned
 * evidence. `reason` is the name of what the signer threw.
 */
export class SigningFailed extends Schema.TaggedError<SigningFailed>()("SigningFailed", {
  keyId: Schema.String,
  reason: Schema.String
}) {
  readonly code = "SIGNING_FAILED"
  readonly evidence: EvidenceState = "not recorded"
  override get message() {
    return `The key ${this.keyId} did not sign (${this.reason}). The record was not sent. Check the signer of the client.`
  }
}

/** `flush` did not finish in time; `remaining` records are still on their way and go on being sent. */
export class FlushTimeout extends Schema.TaggedError<FlushTimeout>()("FlushTimeout", {
  remaining: Schema.Number,
  timeout: Schema.Duration
}) {
  readonly code = "FLUSH_TIMEOUT"
  readonly evidence: EvidenceState = "perhaps recorded"
  override get message() {
    return `After ${Duration.format(this.timeout)} ${this.remaining} record${this.remaining === 1 ? " is" : "s are"} not settled yet. Nothing is lost: delivery goes on. Call flush again or give it more time.`
  }
}

/** A setting is missing or wrong. `setting` is its name, with the environment variable when the value came from there. */
export class ConfigurationError extends Schema.TaggedError<ConfigurationError>()("ConfigurationError", {
  setting: Schema.String,
  problem: Schema.String,
  fix: Schema.String
}) {
  readonly evidence: EvidenceState = "not recorded"
  get code() {
    return this.setting.startsWith("apiKey") && this.problem === "is missing"
      ? "MISSING_API_KEY"
      : "CONFIGURATION_ERROR"
  }
  override get message() {
    return `Setting ${this.setting} ${this.problem}. ${this.fix}`
  }
}

/** Why the ledger, asked once, did not take a record. */
export type LedgerError =
  | Unauthorized
  | Forbidden
  | RateLimitExceeded
  | QuotaExceeded
  | ValidationError
  | InvalidIdempotencyKey
  | IdempotencyConflict
  | RecordNotFound
  | RequestFailed
  | InvalidResponse
  | NetworkError
  | RequestTimeout
  | ServerError

/** Why a record was not delivered, after all retries. */
export type DeliveryError =
  | Exclude<LedgerError, InvalidResponse | NetworkError | RequestTimeout | ServerError>
  | MaxRetriesExceeded
  | SigningFailed
  | PastIdempotencyWindow
  | QueueClosed

/** Why `record` did not take a decision. */
export type RecordError =
  | ValidationError
  | InvalidIdempotencyKey
  | IdempotencyConflict
  | QueueFull
  | QueueClosed
  | OutboxUnavailable
  | SigningFailed

/** Why `recordNow` has no receipt. */
export type RecordNowError = RecordError | DeliveryError

/** Why `verify` has no answer. */
export type VerifyError = LedgerError
