/**
 * `page` and `limit` of a listing.
 */
import type { Issue } from "./RecordPayload.ts"

/** The query of a listing as it was sent. */
export interface Query {
  readonly page?: string | undefined
  readonly limit?: string | undefined
  readonly search?: string | undefined
  readonly policyId?: string | undefined
}

/** A page, or what is wrong with the request for it. */
export type Paging =
  | { readonly _tag: "Page"; readonly page: number; readonly limit: number }
  | { readonly _tag: "Refused"; readonly issues?: ReadonlyArray<Issue> }

const defaultLimit = 20
const maxLimit = 100

/** Whole numbers from 1; limits above 100 become 100. */
export const read = ({ limit = String(defaultLimit), page = "1" }: Query): Paging => {
  const issues = [...issuesOf("page", page), ...issuesOf("limit", limit)]
  if (issues.length > 0) return { _tag: "Refused", issues }
  return { _tag: "Page", page: Number(page), limit: Math.min(Number(limit), maxLimit) }
}

/** As the public ledger reads them: it takes what begins like a number, and fails where its database does. */
export const readPublic = ({ limit = String(defaultLimit), page = "1" }: Query): Paging => {
  const numbers = { page: Number.parseInt(page, 10), limit: Math.min(Number.parseInt(limit, 10), maxLimit) }
  const works = numbers.page >= 1 && numbers.limit >= 0
  return works ? { _tag: "Page", ...numbers } : { _tag: "Refused" }
}

const issuesOf = (field: string, text: string): ReadonlyArray<Issue> => {
  const isWhole = /^[1-9]\d{0,8}$/.test(text)
  const message = "Expected a whole number from 1"
  return isWhole ? [] : [{ code: "invalid_type", expected: "integer", received: "string", path: [field], message }]
}
