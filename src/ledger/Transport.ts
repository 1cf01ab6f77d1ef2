/**
 * How a request reaches the ledger and its answer comes back whole: the one thing below `Ledger` that differs from runtime
 * to runtime.
 *
 * A transport sends once, follows no redirect, sends no trace headers, keeps a deadline and reads an answer up to a limit.
 * Interrupting it aborts the request. `HttpClientTransport` works over any `HttpClient`; `NodeTransport` is the fast one for
 * Node. One suite (`test/recording.test.ts`) holds for both.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { InvalidResponse, NetworkError, type RateLimitExceeded, type RequestTimeout } from "../XaseError.ts"

/** One request. Header names are in lower case. */
export interface Outgoing {
  readonly method: "GET" | "POST"
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  /** JSON text; its content type is among the headers. */
  readonly body?: string | undefined
  /** The deadline of the whole request, from DNS to the last byte of the answer. */
  readonly timeout: Duration.Duration
}

/** An answer, read completely. Header names are in lower case. */
export interface Answer {
  readonly status: number
  readonly headers: AnswerHeaders
  readonly text: string
}

/** The headers of an answer. */
export interface AnswerHeaders {
  readonly [name: string]: string | undefined
}

/** The JSON of an answer's text; `undefined` when it is none. */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Why there is no answer. `RateLimitExceeded`: the request was not sent, to stay under the limit (see `RateLimit`). */
export type SendError = NetworkError | InvalidResponse | RequestTimeout | RateLimitExceeded

/** Sends one request and reads its answer whole, or fails with the reason why there is none. */
export class Transport extends Context.Service<
  Transport,
  { readonly send: (request: Outgoing) => Effect.Effect<Answer, SendError> }
>()("xase-sdk/Transport") {}

/** The largest answer that is read, in bytes. A receipt has about 400. */
export const maxAnswerBytes = 1024 * 1024

/** The error of an answer that is larger than {@link maxAnswerBytes}. */
export const tooLarge = (status: number): InvalidResponse =>
  new InvalidResponse({ status, problem: `with more than ${maxAnswerBytes} bytes` })

/** Codes of a connection that ended before or within the answer. */
const resetCodes: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"])

/** The error of a request that got no answer. The system's code may sit anywhere in the chain of causes. */
export const networkError = (cause: unknown, fallback = "no answer"): NetworkError => {
  const code = errorCode(cause)
  return new NetworkError({ reason: code ?? fallback, connectionReset: resetCodes.has(code ?? "") })
}

const errorCode = (cause: unknown): string | undefined => {
  for (let current = cause, depth = 0; Predicate.isObject(current) && depth < 5; current = current.cause, depth++) {
    if (typeof current.code === "string") return current.code
  }
  return undefined
}
