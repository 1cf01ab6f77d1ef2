/**
 * Decisions as JSON lines: one object a line, in the fields of `Decision`.
 */
import * as Result from "effect/Result"
import type { RecordOptions } from "../client/Client.ts"
import { CustomDecisionType, type Decision, decisionTypes, isDecision, issuesOf } from "../decision/Decision.ts"

/** A decision of a line, with its options. */
export interface ReadDecision {
  readonly line: number
  readonly decision: Decision
  readonly options: RecordOptions
}

/** What is wrong with a line: `line 3: input: must be an object ...`. */
export interface BadLine {
  readonly line: number
  readonly problem: string
}

/**
 * Reads one line; empty lines are no decision. Beside the fields of a decision a line may have `idempotencyKey`; any word
 * is taken as `decisionType` in capitals of the ledger's list, or as a custom one with the prefix `custom:`.
 */
export const readLine = (text: string, line: number): Result.Result<ReadDecision, BadLine> | undefined => {
  if (text.trim() === "") return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "unknown"
    return Result.fail({ line, problem: `is not JSON (${reason})` })
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return Result.fail({ line, problem: "is not a JSON object" })
  }
  const { idempotencyKey, ...fields }: { readonly [name: string]: unknown } = { ...value }
  const decision = { ...fields, ...customType(fields.decisionType) }
  if (idempotencyKey !== undefined && typeof idempotencyKey !== "string") {
    return Result.fail({ line, problem: "idempotencyKey: must be text" })
  }
  if (!isDecision(decision)) {
    const problems = issuesOf(decision).map(({ message, path }) => (path === "" ? message : `${path}: ${message}`))
    return Result.fail({ line, problem: problems.join("; ") })
  }
  return Result.succeed({ line, decision, options: { idempotencyKey } })
}

const customPrefix = "custom:"

const customType = (word: unknown): { readonly decisionType?: unknown } => {
  if (typeof word !== "string" || decisionTypes.some((known) => known === word)) return {}
  return word.startsWith(customPrefix) ? { decisionType: new CustomDecisionType(word.slice(customPrefix.length)) } : {}
}
