/**
 * A record before it is sealed: the parts of its request body in canonical text, with a place for the evidence.
 *
 * A draft is a single text, since so many of them may wait: as strings of their own the parts take half as much again.
 */
import { evidenceKey } from "../evidence/Commitment.ts"
import { byteLength } from "../evidence/Utf8.ts"

/** The {@link Parts}, see {@link write} and {@link read}. */
export type Draft = string

/** Stands between the parts, and in the context for the evidence: canonical JSON never holds this character. */
export const separator = "\u0000"

/** The objects of a decision, each in canonical text. */
export interface ObjectTexts {
  readonly input: string
  readonly output: string
  /** With the {@link separator} as the value of its {@link evidenceKey}. */
  readonly context: string
  readonly explanation: string | undefined
}

/**
 * The plain fields of a decision as JSON members in canonical order, each run of them with a leading comma. The body and
 * the committed decision put other members between the runs.
 */
export interface FieldTexts {
  readonly confidence: string
  readonly decisionType: string
  readonly featureSchemaHash: string
  readonly model: string
  readonly policy: string
  readonly storePayload: string
}

/** Puts a draft together. `recordedAt` in epoch milliseconds. */
export const write = (objects: ObjectTexts, fields: FieldTexts, recordedAt: number): Draft =>
  [
    fields.confidence,
    objects.context,
    fields.decisionType,
    objects.explanation ?? "",
    fields.featureSchemaHash,
    objects.input,
    fields.model,
    objects.output,
    fields.policy,
    fields.storePayload,
    recordedAt
  ].join(separator)

/** What a draft consists of. */
export interface Parts {
  readonly fields: FieldTexts
  readonly input: string
  readonly output: string
  /** Up to and with `"xase_evidence":`. */
  readonly beforeEvidence: string
  readonly afterEvidence: string
  /** Empty where there is none. */
  readonly explanation: string
  readonly recordedAt: string
}

/** Takes a draft apart. */
export const read = (draft: Draft): Parts => {
  const [
    confidence = "",
    beforeEvidence = "",
    afterEvidence = "",
    decisionType = "",
    explanation = "",
    featureSchemaHash = "",
    input = "",
    model = "",
    output = "",
    policy = "",
    storePayload = "",
    recordedAt = ""
  ] = draft.split(separator)
  return {
    fields: { confidence, decisionType, featureSchemaHash, model, policy, storePayload },
    input,
    output,
    beforeEvidence,
    afterEvidence,
    explanation,
    recordedAt
  }
}

const member = `"${evidenceKey}":`

/** The canonical text of the context, without evidence. */
export const contextOf = ({ afterEvidence, beforeEvidence }: Parts): string => {
  const head = beforeEvidence.slice(0, -member.length)
  return head.endsWith(",")
    ? head.slice(0, -1) + afterEvidence
    : head + afterEvidence.slice(afterEvidence.startsWith(",") ? 1 : 0)
}

/**
 * The request body, with this evidence in its context or without any, its members in canonical order. A property test holds
 * it against the schema's encoding.
 */
export const bodyOf = (parts: Parts, evidence: string | undefined): string => {
  const { afterEvidence, beforeEvidence, explanation, fields, input, output } = parts
  const context = evidence === undefined ? contextOf(parts) : beforeEvidence + evidence + afterEvidence
  return bodyText(fields, { context, explanation: explanation === "" ? undefined : explanation, input, output })
}

/** A request body of these parts. */
export const bodyText = (fields: FieldTexts, { context, explanation, input, output }: ObjectTexts): string =>
  `{${(
    fields.confidence +
      `,"context":${context}` +
      fields.decisionType +
      (explanation === undefined ? "" : `,"explanation":${explanation}`) +
      fields.featureSchemaHash +
      `,"input":${input}` +
      fields.model +
      `,"output":${output}` +
      fields.policy +
      fields.storePayload
  ).slice(1)}}`

/** `CommittedDecision` in canonical text. A property test holds it against the canonical form of the fields. */
export const committedText = (fields: FieldTexts, idempotencyKey: string, recordedAt: number | string): string =>
  `{${(
    fields.confidence +
      fields.decisionType +
      fields.featureSchemaHash +
      `,"idempotencyKey":"${idempotencyKey}"` +
      fields.model +
      fields.policy +
      `,"recordedAt":${recordedAt}` +
      fields.storePayload
  ).slice(1)}}`

/** Names, braces and commas of the four objects in a body. */
const frameBytes = `{"context":,"explanation":,"input":,"output":}`.length

/** The length in UTF-8 bytes of the body that a draft will become, without evidence. At most a few bytes more. */
export const bodyBytes = (draft: Draft): number => byteLength(draft) + frameBytes
