/**
 * The exchanges that were captured from the public ledger, and how an answer is compared with one.
 */
import { readFileSync } from "node:fs"
import * as Schema from "effect/Schema"

const Exchange = Schema.Struct({
  name: Schema.String,
  method: Schema.String,
  path: Schema.String,
  request_headers: Schema.Record(Schema.String, Schema.String),
  request_body: Schema.NullOr(Schema.String),
  status: Schema.Int,
  response_headers: Schema.Record(Schema.String, Schema.String),
  response_body: Schema.Json
})
export type Exchange = typeof Exchange.Type

export const { exchanges } = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Struct({ exchanges: Schema.Array(Exchange) }))
)(readFileSync(new URL("../vectors/http-exchanges.json", import.meta.url), "utf8"))

const typeOf = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value)

/** The fields of a value and their types, all the way down. Of a list, its first element speaks for all. */
export const shapeOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value !== "object" || value === null) return typeOf(value)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]))
}
