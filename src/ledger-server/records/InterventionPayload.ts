/**
 * The body of `POST /records/{id}/intervene`: what is accepted, and what is said about what is not.
 */
import type { JsonObject } from "../../evidence/LedgerHash.ts"
import { type Issue, isObject, reader } from "./RecordPayload.ts"

/** What a person can do about a decision. */
export const actions = ["REVIEW_REQUESTED", "APPROVED", "REJECTED", "OVERRIDE", "ESCALATED"] as const

/** One of the {@link actions}. */
export type Action = (typeof actions)[number]

/** A validated body. */
export interface InterventionPayload {
  readonly action: Action
  readonly reason?: string | undefined
  readonly notes?: string | undefined
  readonly metadata?: JsonObject | undefined
  readonly newOutcome?: JsonObject | undefined
  readonly actorUserId?: string | undefined
  readonly actorName?: string | undefined
  readonly actorEmail?: string | undefined
  readonly actorRole?: string | undefined
}

/** The payload, its issues, or the rule between fields that it breaks. */
export type Parsed =
  | { readonly _tag: "Valid"; readonly payload: InterventionPayload }
  | { readonly _tag: "Invalid"; readonly issues: ReadonlyArray<Issue> }
  | { readonly _tag: "Refused"; readonly error: string }

/** Validates a parsed body. */
export const validate = (body: unknown): Parsed => {
  const read = reader(isObject(body) ? body : {})
  const action = read.literal("action", actions)
  const payload = {
    reason: read.optional("reason", read.string),
    notes: read.optional("notes", read.string),
    metadata: read.optional("metadata", read.object),
    newOutcome: read.optional("newOutcome", read.object),
    actorUserId: read.optional("actorUserId", read.string),
    actorName: read.optional("actorName", read.string),
    actorEmail: read.optional("actorEmail", read.string),
    actorRole: read.optional("actorRole", read.string)
  }
  if (action === undefined || read.issues.length > 0) return { _tag: "Invalid", issues: read.issues }
  const needsReason = action === "REJECTED" || action === "OVERRIDE"
  if (needsReason && !payload.reason) {
    return { _tag: "Refused", error: "reason is required for REJECTED and OVERRIDE actions" }
  }
  if (action === "OVERRIDE" && payload.newOutcome === undefined) {
    return { _tag: "Refused", error: "newOutcome is required for OVERRIDE action" }
  }
  return { _tag: "Valid", payload: { action, ...payload } }
}
