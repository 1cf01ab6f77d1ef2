/**
 * What the engines of an outbox say when they fail, as the one error that delivery knows.
 */
import * as Cause from "effect/Cause"
import * as Predicate from "effect/Predicate"
import { OutboxUnavailable } from "../XaseError.ts"

/** A failure and what it was made of, from the outside in: engines and libraries wrap what the system said. */
export const causesOf = (failure: unknown): ReadonlyArray<unknown> => {
  const causes: Array<unknown> = []
  let current: unknown = failure
  while (causes.length < 10 && current !== undefined) {
    causes.push(current)
    current = innerOf(current)
  }
  return causes
}

const innerOf = (failure: unknown): unknown => {
  if (Cause.isCause(failure)) return Cause.squash(failure)
  if (!Predicate.isObject(failure)) return undefined
  // A connection that is refused on all addresses is an AggregateError without words of its own.
  if (Array.isArray(failure.errors) && failure.errors.length > 0) return failure.errors[0]
  return Predicate.isObject(failure.reason) ? failure.reason : failure.cause
}

/** The innermost words of a failure. */
export const reasonOf = (failure: unknown): string => {
  const words = causesOf(failure).flatMap((cause) =>
    Predicate.isObject(cause) && typeof cause.message === "string" && cause.message !== "" ? [cause.message] : []
  )
  // An address that was quoted may have a password in it.
  return (words.at(-1) ?? "no reason given").replace(/\/\/[^\s/@]*@/g, "//...@")
}

const fixes: Readonly<Record<string, string>> = {
  sqlite: "Name a file in a folder that exists, can be written and has room.",
  redis: "Check that the server of XASE_OUTBOX is there and takes this user.",
  postgres: "Check that the server of XASE_OUTBOX is there and that this user may create tables."
}

/** The error of an outbox of a kind. */
export const unavailable =
  (kind: string, stored: "no" | "perhaps" = "no") =>
  (failure: unknown): OutboxUnavailable =>
    new OutboxUnavailable({ outbox: kind, problem: reasonOf(failure), fix: fixes[kind] ?? "", stored })
