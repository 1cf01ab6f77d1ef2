/**
 * The one error class of the Promise facade, with the codes of the original Node SDK.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { ConfigurationError, EvidenceState, FlushTimeout, LedgerError, RecordNowError } from "../XaseError.ts"

/** Every tagged error that the facade can meet. */
export type TaggedError = RecordNowError | LedgerError | FlushTimeout | ConfigurationError

/**
 * What a call of `XaseClient` rejects with, and what `onError` is given.
 *
 * **Example**
 *
 * ```ts
 * try {
 *   await xase.record(payload, { skipQueue: true })
 * } catch (error) {
 *   if (error instanceof XaseError && error.code === "RATE_LIMIT_EXCEEDED") retryLater(error.details)
 * }
 * ```
 */
export class XaseError extends Error {
  override readonly name = "XaseError"
  /** What happened, in one word: see the error table of the README. */
  readonly code: string
  /** The HTTP status, where the ledger answered with one. */
  readonly statusCode: number | undefined
  /** What a handler needs: the issues of a validation error, `{ retryAfterMs }`, `{ usage }`, ... */
  readonly details: unknown
  /** What this means for the record: the ledger does not have it, may have it, or has it. */
  readonly evidence: EvidenceState
  /** Whether the record is still on its way: delivery is held and goes on by itself. */
  readonly kept: boolean

  constructor(
    message: string,
    code: string,
    statusCode?: number,
    details?: unknown,
    more: { readonly cause?: unknown; readonly evidence?: EvidenceState; readonly kept?: boolean } = {}
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    this.code = code
    this.statusCode = statusCode
    this.details = details
    this.evidence = more.evidence ?? "not recorded"
    this.kept = more.kept ?? false
  }
}

/** The facade's form of a tagged error, which stays available as `cause`. */
export const fromTagged = (error: TaggedError, kept = false): XaseError =>
  new XaseError(error.message, error.code, "statusCode" in error ? error.statusCode : undefined, detailsOf(error), {
    cause: error,
    evidence: error.evidence,
    kept
  })

const detailsOf = (error: TaggedError): unknown => {
  switch (error._tag) {
    case "ValidationError":
      return error.issues
    case "RateLimitExceeded":
      return { retryAfterMs: Duration.toMillis(error.retryAfter) }
    case "QuotaExceeded":
      return { usage: error.usage }
    case "Forbidden":
      return { requiredPermission: error.requiredPermission }
    case "MaxRetriesExceeded":
      return { attempts: error.attempts, lastError: error.lastError.code }
    case "FlushTimeout":
      return { remaining: error.remaining }
    case "ConfigurationError":
      return { setting: error.setting }
    default:
      return undefined
  }
}

/** The facade's form of whatever ended a call; no `Cause` and no word of the runtime's own leaves the facade. */
export const fromCause = (cause: Cause.Cause<TaggedError>): XaseError => {
  const error = Cause.findErrorOption(cause)
  if (Option.isSome(error)) return fromTagged(error.value)
  if (Cause.hasInterruptsOnly(cause)) {
    return new XaseError(
      "The client was closed during this call. The ledger may have the record.",
      "QUEUE_CLOSED",
      undefined,
      undefined,
      { evidence: "perhaps recorded" }
    )
  }
  return new XaseError("An unexpected error ended this call: please report it.", "UNEXPECTED", undefined, undefined, {
    cause: Cause.squash(cause),
    evidence: "perhaps recorded"
  })
}
