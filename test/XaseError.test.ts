import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as XaseError from "../src/XaseError.ts"

const network = new XaseError.NetworkError({ reason: "ECONNREFUSED", connectionReset: false })
const server = new XaseError.ServerError({ status: 503, reason: "down" })

type Any = XaseError.RecordNowError | XaseError.LedgerError | XaseError.FlushTimeout | XaseError.ConfigurationError

/** What design.md promises of each error, and which words its message must have: what happened, what to do. */
const table: ReadonlyArray<
  readonly [
    error: Any,
    tag: string,
    code: string,
    status: number | undefined,
    evidence: XaseError.EvidenceState,
    words: ReadonlyArray<string>
  ]
> = [
  [
    new XaseError.Unauthorized({ reason: "Invalid API key" }),
    "Unauthorized",
    "UNAUTHORIZED",
    401,
    "not recorded",
    ["refused the API key", "Invalid API key", "not taken", "Check XASE_API_KEY"]
  ],
  [
    new XaseError.Forbidden({ requiredPermission: "ingest" }),
    "Forbidden",
    "FORBIDDEN",
    403,
    "not recorded",
    ['lacks the permission "ingest"', "not taken", "Use a key that has it"]
  ],
  [
    new XaseError.Forbidden({}),
    "Forbidden",
    "FORBIDDEN",
    403,
    "not recorded",
    ["lacks the permission that this call needs", "not taken"]
  ],
  [
    new XaseError.RateLimitExceeded({ retryAfter: Duration.minutes(90), named: true }),
    "RateLimitExceeded",
    "RATE_LIMIT_EXCEEDED",
    429,
    "not recorded",
    ["rate limit", "not taken", "Try again in 1h 30m"]
  ],
  [
    new XaseError.QuotaExceeded({ usage: { used: 1_000, limit: 1_000, tier: "free" } }),
    "QuotaExceeded",
    "LIMIT_EXCEEDED",
    402,
    "not recorded",
    ['plan "free" is used up', "1000 of 1000 records", "not taken", "Raise the plan"]
  ],
  [
    new XaseError.QuotaExceeded({ usage: {} }),
    "QuotaExceeded",
    "LIMIT_EXCEEDED",
    402,
    "not recorded",
    ["quota of the plan is used up (402). The record was not taken"]
  ],
  [
    new XaseError.ValidationError({
      issues: [
        { path: "input.amount", message: "is NaN" },
        { path: "", message: "is too large" }
      ]
    }),
    "ValidationError",
    "VALIDATION_ERROR",
    undefined,
    "not recorded",
    ["not valid", "not recorded", "input.amount: is NaN; is too large"]
  ],
  [
    new XaseError.ValidationError({ issues: [], statusCode: 400 }),
    "ValidationError",
    "VALIDATION_ERROR",
    400,
    "not recorded",
    ["not recorded"]
  ],
  [
    new XaseError.InvalidIdempotencyKey({ problem: "has 3 characters" }),
    "InvalidIdempotencyKey",
    "INVALID_IDEMPOTENCY_KEY",
    undefined,
    "not recorded",
    ["idempotency key has 3 characters", "not recorded", "Use a UUID v4 or 16 to 64"]
  ],
  [
    new XaseError.InvalidIdempotencyKey({ problem: "p", statusCode: 400 }),
    "InvalidIdempotencyKey",
    "INVALID_IDEMPOTENCY_KEY",
    400,
    "not recorded",
    []
  ],
  [
    new XaseError.IdempotencyConflict({ idempotencyKey: "loan_1", statusCode: 409 }),
    "IdempotencyConflict",
    "IDEMPOTENCY_CONFLICT",
    409,
    "not recorded",
    ["loan_1", "another decision", "not recorded", "its own transactionId"]
  ],
  [
    new XaseError.RecordNotFound({ transactionId: "txn_1" }),
    "RecordNotFound",
    "NOT_FOUND",
    404,
    "not recorded",
    ["no record txn_1", "Check the id"]
  ],
  [
    new XaseError.RecordNotFound({}),
    "RecordNotFound",
    "NOT_FOUND",
    404,
    "not recorded",
    ["no such address", "Nothing was recorded", "Check XASE_BASE_URL"]
  ],
  [
    new XaseError.RequestFailed({ status: 413, body: "too big" }),
    "RequestFailed",
    "REQUEST_FAILED",
    413,
    "not recorded",
    ["answered 413", "not taken", "too big"]
  ],
  [
    new XaseError.RequestFailed({ status: 307, body: "/login" }),
    "RequestFailed",
    "REQUEST_FAILED",
    307,
    "not recorded",
    ["a redirect, which is never followed", "not taken", "Point XASE_BASE_URL at the final address"]
  ],
  [
    new XaseError.InvalidResponse({ status: 201, problem: "with an empty body" }),
    "InvalidResponse",
    "INVALID_RESPONSE",
    201,
    "perhaps recorded",
    ["answered 201", "with an empty body", "perhaps stored", "Check that XASE_BASE_URL"]
  ],
  [
    network,
    "NetworkError",
    "NETWORK_ERROR",
    undefined,
    "perhaps recorded",
    ["could not be reached (ECONNREFUSED)", "may not have arrived", "Check XASE_BASE_URL"]
  ],
  [
    new XaseError.RequestTimeout({ timeout: Duration.seconds(3) }),
    "RequestTimeout",
    "TIMEOUT",
    undefined,
    "perhaps recorded",
    ["did not answer within 3s", "may be stored", "Raise XASE_TIMEOUT"]
  ],
  [
    server,
    "ServerError",
    "INTERNAL_ERROR",
    503,
    "perhaps recorded",
    ["failed (503: down)", "perhaps stored", "same key is safe"]
  ],
  [
    new XaseError.MaxRetriesExceeded({ attempts: 4, lastError: server, kept: false }),
    "MaxRetriesExceeded",
    "MAX_RETRIES",
    503,
    "perhaps recorded",
    ["Sent 4 times in vain", "failed (503: down)", "will not be sent again"]
  ],
  [
    new XaseError.MaxRetriesExceeded({ attempts: 1, lastError: network, kept: true }),
    "MaxRetriesExceeded",
    "MAX_RETRIES",
    undefined,
    "perhaps recorded",
    ["Sent 1 time in vain", "ECONNREFUSED", "keeps its place"]
  ],
  [
    new XaseError.QueueFull({ dropped: true }),
    "QueueFull",
    "QUEUE_FULL",
    undefined,
    "not recorded",
    ["its oldest record was dropped", "not recorded", "Raise XASE_QUEUE_MAX_SIZE"]
  ],
  [
    new XaseError.QueueFull({ dropped: false }),
    "QueueFull",
    "QUEUE_FULL",
    undefined,
    "not recorded",
    ["this decision was not taken", "not recorded", "backpressure"]
  ],
  [
    new XaseError.QueueClosed({ started: false }),
    "QueueClosed",
    "QUEUE_CLOSED",
    undefined,
    "not recorded",
    ["closed", "not recorded", "Close it after the last record()"]
  ],
  [
    new XaseError.QueueClosed({ started: true }),
    "QueueClosed",
    "QUEUE_CLOSED",
    undefined,
    "perhaps recorded",
    ["closed while", "may have it", "XASE_SHUTDOWN_TIMEOUT"]
  ],
  [
    new XaseError.FlushTimeout({ remaining: 2, timeout: Duration.seconds(5) }),
    "FlushTimeout",
    "FLUSH_TIMEOUT",
    undefined,
    "perhaps recorded",
    ["After 5s 2 records are not settled", "Nothing is lost", "Call flush again"]
  ],
  [
    new XaseError.FlushTimeout({ remaining: 1, timeout: Duration.seconds(5) }),
    "FlushTimeout",
    "FLUSH_TIMEOUT",
    undefined,
    "perhaps recorded",
    ["1 record is not settled"]
  ],
  [
    new XaseError.ConfigurationError({ setting: "apiKey (XASE_API_KEY)", problem: "is missing", fix: "Set it." }),
    "ConfigurationError",
    "MISSING_API_KEY",
    undefined,
    "not recorded",
    ["Setting apiKey (XASE_API_KEY) is missing. Set it."]
  ],
  [
    new XaseError.ConfigurationError({ setting: "apiKey", problem: "is wrong", fix: "Mend it." }),
    "ConfigurationError",
    "CONFIGURATION_ERROR",
    undefined,
    "not recorded",
    ["Setting apiKey is wrong. Mend it."]
  ],
  [
    new XaseError.OutboxUnavailable({
      outbox: "redis",
      problem: "connect ECONNREFUSED 127.0.0.1:6379",
      fix: "Check the server.",
      stored: "no"
    }),
    "OutboxUnavailable",
    "OUTBOX_UNAVAILABLE",
    undefined,
    "not recorded",
    ["redis outbox", "ECONNREFUSED", "was not taken", "Check the server."]
  ],
  [
    new XaseError.OutboxUnavailable({ outbox: "postgres", problem: "gone", fix: "", stored: "perhaps" }),
    "OutboxUnavailable",
    "OUTBOX_UNAVAILABLE",
    undefined,
    "perhaps recorded",
    ["perhaps stored", "same transactionId is safe"]
  ],
  [
    new XaseError.PastIdempotencyWindow({ idempotencyKey: "k".repeat(32), reason: "too many records look like it" }),
    "PastIdempotencyWindow",
    "PAST_IDEMPOTENCY_WINDOW",
    undefined,
    "perhaps recorded",
    ["k".repeat(32), "too many records look like it", "set aside", "xase outbox retry"]
  ],
  [
    new XaseError.SigningFailed({ keyId: "risk-2026", reason: "TimeoutError" }),
    "SigningFailed",
    "SIGNING_FAILED",
    undefined,
    "not recorded",
    ["risk-2026", "TimeoutError", "not sent", "Check the signer"]
  ],
  [
    new XaseError.ConfigurationError({ setting: "timeout", problem: "is missing", fix: "Set it." }),
    "ConfigurationError",
    "CONFIGURATION_ERROR",
    undefined,
    "not recorded",
    []
  ]
]

describe("each error", () => {
  it.each(table)(
    "%s: tag %s, code %s, status %s, evidence %s, and its words",
    (error, tag, code, status, evidence, words) => {
      assert.strictEqual(error._tag, tag)
      assert.strictEqual(error.name, tag)
      assert.strictEqual(error.code, code)
      assert.strictEqual("statusCode" in error ? error.statusCode : undefined, status)
      assert.strictEqual(error.evidence, evidence)
      for (const word of words) assert.include(error.message, word)
      assert.notMatch(error.message, /undefined|\[object/)
      assert.instanceOf(error, Error)
      assert.include(error.stack ?? "", tag)
      assert.include(String(error), error.message)
    }
  )

  it("is in the table", () => {
    const classes = Object.entries(XaseError).filter(
      ([, value]) => typeof value === "function" && value.prototype instanceof Error
    )
    assert.sameMembers(
      [...new Set(table.map(([error]) => error._tag as string))],
      classes.map(([name]) => name)
    )
  })

  it("shows in inspect and JSON what it carries and no more", () => {
    const error = new XaseError.RateLimitExceeded({ retryAfter: Duration.seconds(7), named: true })
    assert.include(inspect(error), "RateLimitExceeded")
    assert.sameMembers(Object.keys(JSON.parse(JSON.stringify(error))), [
      "_tag",
      "retryAfter",
      "named",
      "code",
      "statusCode",
      "evidence"
    ])
  })

  it.effect("is caught by its tag, with its fields", () =>
    Effect.gen(function* () {
      const failing: Effect.Effect<never, XaseError.RecordNowError> = Effect.fail(
        new XaseError.RateLimitExceeded({ retryAfter: Duration.seconds(7), named: true })
      )
      const caught = yield* failing.pipe(
        Effect.catchTag("RateLimitExceeded", ({ retryAfter }) => Effect.succeed(Duration.toSeconds(retryAfter))),
        Effect.orElseSucceed(() => 0)
      )
      assert.strictEqual(caught, 7)
    })
  )
})
