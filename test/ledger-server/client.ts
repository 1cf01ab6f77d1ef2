/**
 * The few requests that most tests of the ledger send.
 */
import * as Effect from "effect/Effect"
import * as http from "./http.ts"

/** Where a ledger is and with which key it is asked. */
export interface Target {
  readonly origin: string
  readonly apiKey: string
}

const base = "/api/xase/v1"

/** `POST /records`. */
export const post = (target: Target, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  http.send(target.origin, {
    method: "POST",
    path: `${base}/records`,
    headers: { "x-api-key": target.apiKey, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body)
  })

/** Records a decision and reads its receipt. */
export const record = (target: Target, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  Effect.map(post(target, body, headers), http.receipt)

/** `GET /verify/{id}`. */
export const verify = (target: Target, transactionId: string) =>
  Effect.map(http.send(target.origin, { path: `${base}/verify/${transactionId}` }), http.verdict)

/** `GET /records`. */
export const list = (target: Target, query = "") =>
  Effect.map(
    http.send(target.origin, { path: `${base}/records${query}`, headers: { "x-api-key": target.apiKey } }),
    http.listing
  )
