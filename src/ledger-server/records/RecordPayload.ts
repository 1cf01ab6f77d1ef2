/**
 * The body of `POST /records`: what is accepted, and what is said about what is not.
 *
 * The ledger's issues are part of its contract (clients show them), so they are built here word for word, field by field,
 * all at once. The rules are few and hot, hence plain functions.
 */

import { type DecisionType, decisionTypes } from "../../decision/Decision.ts"
import type { JsonObject } from "../../evidence/LedgerHash.ts"
import { parseLeniently } from "../../evidence/StrictJson.ts"

/** A validated body. Fields that the ledger drops (model metadata, explanation) are not in it. */
export interface RecordPayload {
  readonly input: JsonObject
  readonly output: JsonObject
  readonly context?: JsonObject | undefined
  readonly policyId?: string | undefined
  readonly policyVersion?: string | undefined
  readonly decisionType?: DecisionType | undefined
  readonly confidence?: number | undefined
  readonly processingTime?: number | undefined
  readonly storePayload: boolean
}

/** One thing that is wrong with a body, as the ledger writes it. */
export interface Issue {
  readonly code: "invalid_type" | "invalid_enum_value" | "too_small" | "too_big"
  readonly path: ReadonlyArray<string>
  readonly message: string
  readonly [detail: string]: unknown
}

/** The payload, or everything that is wrong with it. */
export type Parsed =
  | { readonly _tag: "Valid"; readonly payload: RecordPayload }
  | { readonly _tag: "Invalid"; readonly issues: ReadonlyArray<Issue> }

/** Validates a parsed body. */
export const validate = (body: unknown): Parsed => {
  if (!isObject(body)) return { _tag: "Invalid", issues: [wrongType([], "object", body)] }
  const read = reader(body)
  const payload: RecordPayload = {
    input: read.object("input") ?? {},
    output: read.object("output") ?? {},
    context: read.optional("context", read.object),
    policyId: read.optional("policyId", read.string),
    policyVersion: read.optional("policyVersion", read.string),
    decisionType: read.optional("decisionType", (field) => read.literal(field, decisionTypes)),
    confidence: read.optional("confidence", (field) => read.number(field, 0, 1)),
    processingTime: read.optional("processingTime", (field) => read.number(field)),
    storePayload: read.optional("storePayload", read.boolean) ?? false
  }
  read.optional("modelId", read.string)
  read.optional("modelVersion", read.string)
  read.optional("modelHash", read.string)
  read.optional("featureSchemaHash", read.string)
  read.optional("explanation", read.object)
  return read.issues.length === 0 ? { _tag: "Valid", payload } : { _tag: "Invalid", issues: read.issues }
}

/** Whether a value is a JSON object: neither `null` nor an array. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Reads typed fields of an object and collects what is wrong with them. */
export const reader = (body: JsonObject) => {
  const issues: Array<Issue> = []
  const refuse = (issue: Issue): undefined => {
    issues.push(issue)
    return undefined
  }
  return {
    issues,
    optional: <A>(field: string, read: (field: string) => A): A | undefined =>
      body[field] === undefined ? undefined : read(field),
    object: (field: string): JsonObject | undefined => {
      const value = body[field]
      return isObject(value) ? value : refuse(wrongType([field], "object", value))
    },
    string: (field: string): string | undefined => {
      const value = body[field]
      return typeof value === "string" ? value : refuse(wrongType([field], "string", value))
    },
    boolean: (field: string): boolean | undefined => {
      const value = body[field]
      return typeof value === "boolean" ? value : refuse(wrongType([field], "boolean", value))
    },
    number: (field: string, minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY) => {
      const value = body[field]
      if (typeof value !== "number") return refuse(wrongType([field], "number", value))
      if (value < minimum) return refuse(tooSmall(field, minimum))
      if (value > maximum) return refuse(tooBig(field, maximum))
      return value
    },
    literal: <const A extends string>(field: string, allowed: ReadonlyArray<A>): A | undefined => {
      const value = body[field]
      const found = allowed.find((candidate) => candidate === value)
      return found ?? refuse(notAllowed(field, allowed, value))
    }
  }
}

const typeOf = (value: unknown): string => {
  if (value === null) return "null"
  return Array.isArray(value) ? "array" : typeof value
}

const wrongType = (path: ReadonlyArray<string>, expected: string, value: unknown): Issue => ({
  code: "invalid_type",
  expected,
  received: typeOf(value),
  path,
  message: value === undefined ? "Required" : `Expected ${expected}, received ${typeOf(value)}`
})

const tooSmall = (field: string, minimum: number): Issue => ({
  code: "too_small",
  minimum,
  type: "number",
  inclusive: true,
  exact: false,
  message: `Number must be greater than or equal to ${minimum}`,
  path: [field]
})

const tooBig = (field: string, maximum: number): Issue => ({
  code: "too_big",
  maximum,
  type: "number",
  inclusive: true,
  exact: false,
  message: `Number must be less than or equal to ${maximum}`,
  path: [field]
})

const notAllowed = (field: string, allowed: ReadonlyArray<string>, value: unknown): Issue => {
  const expected = allowed.map((one) => `'${one}'`).join(" | ")
  if (typeof value !== "string") {
    const { code, message, received } = wrongType([field], expected, value)
    return { expected, received, code, path: [field], message }
  }
  return {
    received: value,
    code: "invalid_enum_value",
    options: allowed,
    path: [field],
    message: `Invalid enum value. Expected ${expected}, received '${value}'`
  }
}

/** The deepest nesting that the ledger takes. */
const maxDepth = 4000

/**
 * Parses a received body as the ledger does: a byte order mark is skipped. Throws for what is not JSON and for what is
 * nested too deeply.
 */
export const parse = (body: string): unknown => {
  const text = body.charCodeAt(0) === 0xfeff ? body.slice(1) : body
  if (text.length > maxDepth * 2 && depthOf(text) > maxDepth) throw new RangeError(`deeper than ${maxDepth} levels`)
  return parseLeniently(text)
}

const depthOf = (text: string): number => {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (inString) {
      if (character === "\\") index++
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === "{" || character === "[") deepest = Math.max(deepest, ++depth)
    else if (character === "}" || character === "]") depth--
  }
  return deepest
}

const maxProcessingTime = 2_147_483_647
const unstorable = /\0|\p{Surrogate}/u

/**
 * The payload as the ledger's database takes it: processing times lose their fraction. Throws for what it does not take:
 * names with NUL or lone surrogates, processing times that do not fit into 32 bits.
 */
export const toStorable = (payload: RecordPayload): RecordPayload => {
  for (const name of [payload.policyId, payload.policyVersion]) {
    if (name !== undefined && unstorable.test(name))
      throw new RangeError("policy names may hold no NUL or lone surrogate")
  }
  if (payload.processingTime === undefined) return payload
  const processingTime = Math.trunc(payload.processingTime)
  if (Math.abs(processingTime) > maxProcessingTime) throw new RangeError("processingTime must fit into 32 bits")
  return { ...payload, processingTime }
}
