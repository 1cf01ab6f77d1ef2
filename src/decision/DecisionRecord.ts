/**
 * A decision as the ledger takes it: validated, with its key fixed, encoded to JSON text once.
 *
 * Everything that the caller handed over is read here, during the call of `record`, and never again: mutating the objects
 * later changes nothing. Both faces of the SDK go through {@link make}, which neither throws nor suspends. What it makes is
 * a draft; the producer seals it, off the caller's path, with a commitment and the final body (see `Producer`).
 */
import type * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { AnySpan } from "effect/Tracer"
import { type Canonical, CanonicalText, type DefaultMembers, nameOfThrown, write } from "../evidence/CanonicalJson.ts"
import { evidenceKey } from "../evidence/Commitment.ts"
import { sha256Hex } from "../evidence/Sha256.ts"
import { byteLength } from "../evidence/Utf8.ts"
import { InvalidIdempotencyKey, type Issue, ValidationError } from "../XaseError.ts"
import * as Draft from "./BodyTemplate.ts"
import { CustomDecisionType, type Decision, fields, isDecision, issuesOf } from "./Decision.ts"
import * as IdempotencyKey from "./IdempotencyKey.ts"
import { type Redactions, redactableFields } from "./Redaction.ts"

/** A decision as the ledger takes it: validated, its key fixed, encoded once. */
export interface LedgerRecord {
  /** Sent as `Idempotency-Key` with every attempt. */
  readonly idempotencyKey: string
  /** The request body: canonical JSON text. Empty until the record is sealed. */
  body: string
  /** What the body will be made of; `undefined` once the record is sealed. */
  draft: Draft.Draft | undefined
  /** The length of the body in UTF-8 bytes, the commitment at its longest. */
  readonly byteLength: number
  readonly policy: string
  readonly transactionId: string | undefined
  /**
   * What tells two decisions with the same key apart: the SHA-256 of all that the caller handed over. Only records whose
   * key the application chose have one; a fresh key never meets a second decision.
   */
  readonly fingerprint: string | undefined
  /** The span in which the decision was recorded, for the delivery's span to link to. */
  readonly span: AnySpan | undefined
  /** The deadline of each attempt, where it is not the client's. */
  readonly timeout: Duration.Duration | undefined
  /** The place in the order of acceptance in this process; 0 until the record is accepted. */
  sequence: number
}

/** What surrounds a decision when it becomes a record. */
export interface Circumstances {
  /** Epoch milliseconds. */
  readonly now: number
  /** The span that is active in the application. */
  readonly span: AnySpan | undefined
  /** The caller's own key, not yet checked. */
  readonly idempotencyKey: string | undefined
  /** See {@link LedgerRecord.timeout}. */
  readonly timeout: Duration.Duration | undefined
}

/** What is the same for all records of a client. */
export interface Encoding {
  /** See `RuntimeContext`; empty when the client is told to leave it out. */
  readonly runtimeContext: DefaultMembers
  readonly redactions: Redactions
  /** The caller's last word on a decision before it is read; must not mutate it. */
  readonly redact: ((decision: Decision) => Decision) | undefined
  readonly maxRecordBytes: number
  /** What the evidence adds to a body at most, beside the committed decision; 0 without commitments. */
  readonly evidenceBytes: number
}

type MakeError = ValidationError | InvalidIdempotencyKey

/** Makes the record of `decision`, or says everything that is wrong with it. */
export const make = (
  decision: Decision,
  circumstances: Circumstances,
  encoding: Encoding
): Result.Result<LedgerRecord, MakeError> => {
  const own = readOnce(decision, encoding.redact)
  if (Result.isFailure(own)) return Result.fail(own.failure)
  const { idempotencyKey } = circumstances
  if (idempotencyKey !== undefined) {
    const problem = IdempotencyKey.problemOf(idempotencyKey)
    if (problem !== undefined) return Result.fail(new InvalidIdempotencyKey({ problem }))
  }
  const texts = writeObjects(own.success, circumstances, encoding)
  if (Result.isFailure(texts)) return Result.fail(texts.failure)
  const { policy, transactionId } = own.success
  const chosenKey =
    idempotencyKey ?? (transactionId === undefined ? undefined : IdempotencyKey.fromTransactionId(transactionId))
  const key = chosenKey ?? IdempotencyKey.fresh()
  const fields = fieldTexts(own.success)
  const draft = Draft.write(texts.success, fields, circumstances.now)
  const committed = encoding.evidenceBytes === 0 ? "" : Draft.committedText(fields, key, circumstances.now)
  const bytes = Draft.bodyBytes(draft) + encoding.evidenceBytes + byteLength(committed)
  if (bytes > encoding.maxRecordBytes) return invalid([tooLarge(bytes, encoding.maxRecordBytes)])
  return Result.succeed({
    idempotencyKey: key,
    body: "",
    draft,
    byteLength: bytes,
    policy,
    transactionId,
    fingerprint: chosenKey === undefined ? undefined : fingerprintOf(own.success, fields, texts.success, encoding),
    span: circumstances.span,
    timeout: circumstances.timeout,
    sequence: 0
  })
}

const invalid = (issues: ReadonlyArray<Issue>): Result.Result<never, ValidationError> =>
  Result.fail(new ValidationError({ issues }))

const tooLarge = (bytes: number, limit: number): Issue => ({
  path: "",
  message: `the record has ${bytes} bytes, more than maxRecordBytes (${limit}): send a reference or a hash of large parts`
})

/** A shallow copy, so that a getter of the caller's is asked once, checked and redacted. */
const readOnce = (decision: Decision, redact: Encoding["redact"]): Result.Result<Decision, ValidationError> => {
  let own: unknown = decision
  try {
    own = typeof decision === "object" && decision !== null && !Array.isArray(decision) ? { ...decision } : decision
    if (!isDecision(own)) return invalid(allIssuesOf(own))
  } catch (cause) {
    return invalid(unreadableFields(decision, cause))
  }
  if (redact === undefined) return Result.succeed(own)
  try {
    const answer: unknown = redact(own)
    if (!Predicate.isObject(answer) || answer instanceof Promise) {
      return invalid([{ path: "", message: "the redact function must return a decision, at once: nothing was sent" }])
    }
    const redacted: unknown = { ...answer }
    return isDecision(redacted) ? Result.succeed(redacted) : invalid(allIssuesOf(redacted))
  } catch (cause) {
    // Sending the decision as it is could reveal what the hook was to hide.
    return invalid([
      { path: "", message: `the redact function threw ${nameOfThrown(cause)}: repair it, nothing was sent` }
    ])
  }
}

/** Which fields cannot be looked at; the decision itself if it is none of them. */
const unreadableFields = (decision: Decision, cause: unknown): ReadonlyArray<Issue> => {
  const issues: Array<Issue> = []
  for (const field of fields) {
    try {
      const value: unknown = Reflect.get(decision, field)
      if (typeof value === "object" && value !== null) Object.getPrototypeOf(value)
    } catch (thrown) {
      issues.push({ path: field, message: `could not be read: its getter or a trap threw ${nameOfThrown(thrown)}` })
    }
  }
  if (issues.length > 0 && issues.length < fields.length) return issues
  return [{ path: "", message: `the decision could not be read: ${nameOfThrown(cause)} was thrown` }]
}

/** The problems of the fields, and those inside the objects: whoever repairs a decision wants to see them together. */
const allIssuesOf = (value: unknown): ReadonlyArray<Issue> => [
  ...issuesOf(value),
  ...redactableFields.flatMap((field) => {
    const part: unknown = typeof value === "object" && value !== null ? Reflect.get(value, field) : undefined
    const written = Predicate.isObject(part) ? write(part, field) : undefined
    return written?._tag === "Problems" ? written.issues : []
  })
]

const writeObjects = (
  decision: Decision,
  { now, span }: Circumstances,
  { redactions, runtimeContext }: Encoding
): Result.Result<Draft.ObjectTexts, ValidationError> => {
  const input = write(decision.input, "input", redactions.input)
  const output = write(decision.output, "output", redactions.output)
  const explanation =
    decision.explanation === undefined ? undefined : write(decision.explanation, "explanation", redactions.explanation)
  const context = withItsPlace(
    write(decision.context ?? {}, "context", redactions.context, {
      ...runtimeContext,
      ...modelContext(decision, explanation?._tag === "Text" ? explanation.text : undefined),
      ...spanContext(span),
      timestamp: new CanonicalText(String(now)),
      [evidenceKey]: placeholder
    })
  )
  if (input._tag === "Text" && output._tag === "Text" && context._tag === "Text" && explanation?._tag !== "Problems") {
    return Result.succeed({
      input: input.text,
      output: output.text,
      context: context.text,
      explanation: explanation?.text
    })
  }
  return invalid(
    [input, output, context, explanation].flatMap((part) => (part?._tag === "Problems" ? part.issues : []))
  )
}

const placeholder = new CanonicalText(Draft.separator)

const reservedKey: Canonical = {
  _tag: "Problems",
  issues: [{ path: `context.${evidenceKey}`, message: "is where the SDK puts its own commitment: use another name" }]
}

/** The place is missing where the caller has a member of that name. */
const withItsPlace = (context: Canonical): Canonical =>
  context._tag === "Text" && !context.text.includes(placeholder.text) ? reservedKey : context

const none: DefaultMembers = {}

/** The public ledger checks and drops what describes the model, so it also goes where the ledger's hash covers it. */
const modelContext = (decision: Decision, explanation: string | undefined): DefaultMembers => {
  const { featureSchemaHash, modelHash, modelId, modelVersion } = decision
  if ((modelId ?? modelVersion ?? modelHash ?? featureSchemaHash ?? explanation) === undefined) return none
  const members: Record<string, CanonicalText> = {}
  for (const [name, value] of Object.entries({ featureSchemaHash, modelHash, modelId, modelVersion })) {
    if (value !== undefined) members[name] = new CanonicalText(JSON.stringify(value))
  }
  if (explanation !== undefined) members.explanation = new CanonicalText(explanation)
  return members
}

const spanContext = (span: AnySpan | undefined): DefaultMembers =>
  span === undefined
    ? none
    : {
        trace_id: new CanonicalText(JSON.stringify(span.traceId)),
        span_id: new CanonicalText(JSON.stringify(span.spanId))
      }

const typeWord = (type: Decision["decisionType"]): string | undefined =>
  type instanceof CustomDecisionType ? type.word : type

const text = (name: string, value: string | undefined): string =>
  value === undefined ? "" : `,"${name}":${JSON.stringify(value)}`

const scalar = (name: string, value: number | boolean | undefined): string =>
  value === undefined ? "" : `,"${name}":${value === 0 ? 0 : value}`

const fieldTexts = (decision: Decision): Draft.FieldTexts => ({
  confidence: scalar("confidence", decision.confidence),
  decisionType: text("decisionType", typeWord(decision.decisionType)),
  featureSchemaHash: text("featureSchemaHash", decision.featureSchemaHash),
  model:
    text("modelHash", decision.modelHash) +
    text("modelId", decision.modelId) +
    text("modelVersion", decision.modelVersion),
  policy:
    text("policyId", decision.policy) +
    text("policyVersion", decision.policyVersion) +
    scalar("processingTime", decision.processingTime === undefined ? undefined : Math.round(decision.processingTime)),
  storePayload: scalar("storePayload", decision.storePayload)
})

/** Covers what the caller handed over and not what the SDK adds, which differs from call to call. */
const fingerprintOf = (
  decision: Decision,
  fields: Draft.FieldTexts,
  objects: Draft.ObjectTexts,
  { redactions }: Encoding
): string => {
  const context = decision.context === undefined ? undefined : write(decision.context, "context", redactions.context)
  return sha256Hex(Draft.bodyText(fields, { ...objects, context: context?._tag === "Text" ? context.text : "{}" }))
}
