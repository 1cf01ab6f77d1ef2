/**
 * What the application hands over, and how its fields are called on the wire.
 *
 * The schema is the one place that says which fields a decision has, what each may hold and that `policy` travels as
 * `policyId`. It checks the scalar fields; the open objects (`input`, `output`, `context`, `explanation`) are checked
 * value by value when they are written, in `CanonicalJson`.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"
import type { Issue } from "../XaseError.ts"

/** The words that the ledger takes as `decisionType`, in its own spelling. */
export const decisionTypes = ["CLAIM", "UNDERWRITING", "FRAUD", "PRICING", "OTHER"] as const

/** One of the {@link decisionTypes}. */
export type DecisionType = (typeof decisionTypes)[number]

const customDecisionType = "~xase-sdk/CustomDecisionType"

/**
 * A decision type of your own, for ledgers that take any word. Today's public ledger refuses all but
 * {@link decisionTypes}, which is why a plain string is refused here and this says that you mean it.
 *
 * **Example**
 *
 * ```ts
 * record({ policy: "triage_v1", input, output, decisionType: new CustomDecisionType("TRIAGE") })
 * ```
 */
export class CustomDecisionType {
  /** The faces of the SDK may each have a copy of this class, and take the other's too. */
  static [Symbol.hasInstance](value: unknown): boolean {
    return Predicate.hasProperty(value, customDecisionType)
  }

  readonly word: string
  constructor(word: string) {
    this.word = word
  }

  get [customDecisionType](): true {
    return true
  }
}

/** The longest processing time that the ledger can store, in milliseconds (24.8 days). */
export const maxProcessingTime = 2_147_483_647

const isName = (text: string): boolean => text.length > 0 && !text.includes("\u0000") && text.isWellFormed()

const nameProblem = "must be text that is not empty, without NUL characters or lone surrogates"

const Name = Schema.String.check(
  Schema.makeFilter((text: string) => (isName(text) ? undefined : nameProblem))
).annotate({
  message: nameProblem
})

/** An object and not an array; what is inside is checked when it is written. */
const isOpenObject = (value: unknown): value is object => Predicate.isObject(value)

const openObjectProblem = "must be an object, not an array, null or a scalar"

const OpenObject = Schema.declare(isOpenObject).annotate({ message: openObjectProblem })

const isConfidence = (value: number): boolean => value >= 0 && value <= 1

const confidenceProblem = "must be a number from 0 to 1"

const isProcessingTime = (value: number): boolean => value >= 0 && value <= maxProcessingTime

const processingTimeProblem = `must be a number of milliseconds from 0 to ${maxProcessingTime}`

const storePayloadProblem = "must be true or false"

const decisionTypeProblem = `must be one of ${decisionTypes.join(", ")} (in capitals), or new CustomDecisionType("...") for a ledger that takes other words`

const WrittenDecisionType = Schema.Union([
  Schema.Literals(decisionTypes),
  Name.pipe(
    Schema.decodeTo(
      Schema.declare((value): value is CustomDecisionType => value instanceof CustomDecisionType),
      {
        decode: SchemaGetter.transform((word: string) => new CustomDecisionType(word)),
        encode: SchemaGetter.transform((type: CustomDecisionType) => type.word)
      }
    )
  )
]).annotate({ message: decisionTypeProblem })

/**
 * A decision with its friendly names; its encoded side has the ledger's (`policyId`).
 *
 * - `policy`: the policy or model that decided, such as `credit_policy_v4`. Required.
 * - `input`, `output`: what went in and what came out; objects of JSON data. Required.
 * - `confidence`: 0 to 1.
 * - `context`: more JSON data about the circumstances. The runtime's own context is merged under it.
 * - `transactionId`: the application's own id of the decision. The idempotency key is derived from it, so recording the
 *   same decision again, also after a restart, does not make a second record. It is not sent.
 * - `policyVersion`: an active policy of this name on the ledger overrides it.
 * - `decisionType`: see {@link decisionTypes} and {@link CustomDecisionType}.
 * - `processingTime`: how long deciding took, in milliseconds; rounded to whole ones.
 * - `storePayload`: whether the ledger keeps the payload itself beside its hashes. Default false.
 * - `modelId`, `modelVersion`, `modelHash`, `featureSchemaHash`, `explanation`: about the model. The public ledger checks
 *   and drops these, so they are also written into the context, where its hash covers them.
 */
export const Decision = Schema.Struct({
  policy: Name.pipe(Schema.annotateKey({ messageMissingKey: "is required: the name of the policy that decided" })),
  input: OpenObject.pipe(Schema.annotateKey({ messageMissingKey: "is required: an object with what went in" })),
  output: OpenObject.pipe(Schema.annotateKey({ messageMissingKey: "is required: an object with what came out" })),
  confidence: Schema.optional(
    Schema.Number.check(Schema.makeFilter((value) => (isConfidence(value) ? undefined : confidenceProblem))).annotate({
      message: confidenceProblem
    })
  ),
  context: Schema.optional(OpenObject),
  transactionId: Schema.optional(Name),
  policyVersion: Schema.optional(Name),
  decisionType: Schema.optional(WrittenDecisionType),
  processingTime: Schema.optional(
    Schema.Number.check(
      Schema.makeFilter((value) => (isProcessingTime(value) ? undefined : processingTimeProblem))
    ).annotate({ message: processingTimeProblem })
  ),
  storePayload: Schema.optional(Schema.Boolean.annotate({ message: storePayloadProblem })),
  modelId: Schema.optional(Name),
  modelVersion: Schema.optional(Name),
  modelHash: Schema.optional(Name),
  featureSchemaHash: Schema.optional(Name),
  explanation: Schema.optional(OpenObject)
}).pipe(Schema.encodeKeys({ policy: "policyId" }))

/** See the schema of the same name. */
export interface Decision {
  readonly policy: string
  readonly input: object
  readonly output: object
  readonly confidence?: number | undefined
  readonly context?: object | undefined
  readonly transactionId?: string | undefined
  readonly policyVersion?: string | undefined
  readonly decisionType?: DecisionType | CustomDecisionType | undefined
  readonly processingTime?: number | undefined
  readonly storePayload?: boolean | undefined
  readonly modelId?: string | undefined
  readonly modelVersion?: string | undefined
  readonly modelHash?: string | undefined
  readonly featureSchemaHash?: string | undefined
  readonly explanation?: object | undefined
}

const decodeForIssues = Schema.encodeUnknownResult(Decision, { errors: "all", onExcessProperty: "error" })

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * All problems of the scalar fields and shapes of a would-be decision, each with its path; empty when there is none.
 *
 * Validation encodes rather than decodes, so that the paths have the names that the caller used.
 */
export const issuesOf = (value: unknown): ReadonlyArray<Issue> => {
  if (!isOpenObject(value)) return [{ path: "", message: "a decision must be an object" }]
  let result: ReturnType<typeof decodeForIssues>
  try {
    result = decodeForIssues(value)
  } catch {
    return [{ path: "", message: "the decision could not be read: one of its getters threw" }]
  }
  if (Result.isSuccess(result)) return []
  const issues = new Map<string, Issue>()
  for (const { message, path: keys = [] } of format(result.failure.issue).issues) {
    const path = keys.map((key) => String(typeof key === "object" ? key.key : key)).join(".")
    issues.set(path, { path, message: message.startsWith("is required") ? message : problemOf(path) })
  }
  return [...issues.values()]
}

const isField = (name: string): name is keyof Decision => Object.hasOwn(problems, name)

const problemOf = (path: string): string =>
  isField(path)
    ? problems[path]
    : "is not a field of a decision and would be lost: put it into input, output or context"

/** What is said of each field, whichever of its rules is broken. */
const problems: { readonly [Field in keyof Decision]-?: string } = {
  policy: nameProblem,
  input: openObjectProblem,
  output: openObjectProblem,
  confidence: confidenceProblem,
  context: openObjectProblem,
  transactionId: nameProblem,
  policyVersion: nameProblem,
  decisionType: decisionTypeProblem,
  processingTime: processingTimeProblem,
  storePayload: storePayloadProblem,
  modelId: nameProblem,
  modelVersion: nameProblem,
  modelHash: nameProblem,
  featureSchemaHash: nameProblem,
  explanation: openObjectProblem
}

const absentOr = (check: (value: unknown) => boolean, value: unknown): boolean => value === undefined || check(value)

const isNameValue = (value: unknown): boolean => typeof value === "string" && isName(value)

/** How each field is checked on the hot path: the same rules as the schema's, without building its reports. */
const checks: { readonly [Field in keyof Decision]-?: (value: unknown) => boolean } = {
  policy: isNameValue,
  input: isOpenObject,
  output: isOpenObject,
  confidence: (value) => absentOr((value) => typeof value === "number" && isConfidence(value), value),
  context: (value) => absentOr(isOpenObject, value),
  transactionId: (value) => absentOr(isNameValue, value),
  policyVersion: (value) => absentOr(isNameValue, value),
  decisionType: (value) => absentOr(isDecisionType, value),
  processingTime: (value) => absentOr((value) => typeof value === "number" && isProcessingTime(value), value),
  storePayload: (value) => absentOr((value) => typeof value === "boolean", value),
  modelId: (value) => absentOr(isNameValue, value),
  modelVersion: (value) => absentOr(isNameValue, value),
  modelHash: (value) => absentOr(isNameValue, value),
  featureSchemaHash: (value) => absentOr(isNameValue, value),
  explanation: (value) => absentOr(isOpenObject, value)
}

/** The names of all fields. */
export const fields: ReadonlyArray<string> = Object.keys(checks)

const isDecisionType = (value: unknown): boolean =>
  value instanceof CustomDecisionType ? isNameValue(value.word) : decisionTypes.some((type) => type === value)

/**
 * Whether the schema takes `value`: the same answer as `Schema.is`, in a fraction of its time (see `test/bench`), because
 * every call of `record` asks. A property test holds the two together. May throw if a getter of `value` does.
 */
export const isDecision = (value: unknown): value is Decision => {
  if (!isOpenObject(value)) return false
  for (const key of Reflect.ownKeys(value)) {
    if (!Object.hasOwn(checks, key) && Object.prototype.propertyIsEnumerable.call(value, key)) return false
  }
  const decision: Partial<Record<keyof Decision, unknown>> = value
  return (
    checks.policy(decision.policy) &&
    checks.input(decision.input) &&
    checks.output(decision.output) &&
    checks.confidence(decision.confidence) &&
    checks.context(decision.context) &&
    checks.transactionId(decision.transactionId) &&
    checks.policyVersion(decision.policyVersion) &&
    checks.decisionType(decision.decisionType) &&
    checks.processingTime(decision.processingTime) &&
    checks.storePayload(decision.storePayload) &&
    checks.modelId(decision.modelId) &&
    checks.modelVersion(decision.modelVersion) &&
    checks.modelHash(decision.modelHash) &&
    checks.featureSchemaHash(decision.featureSchemaHash) &&
    checks.explanation(decision.explanation)
  )
}
