/**
 * The ledger as this SDK meets it: one method per route, every answer either the value or a typed error.
 *
 * Each call is one attempt under one deadline that covers everything from DNS to the last byte; repeating it is the
 * caller's business. Bodies that are not what the contract says become errors, and neither the key nor a payload is part of any of
 * them. The transport below is the only room of the client that knows `effect/http`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Verification, VerificationFromLedger } from "../contract/LedgerClaim.ts"
import { type Receipt, ReceiptFromLedger, receiptIn } from "../contract/Receipt.ts"
import { RecordsPage, type RecordsQuery } from "../contract/RecordsPage.ts"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import { XaseConfig } from "../settings/XaseConfig.ts"
import { version } from "../Version.ts"
import {
  Forbidden,
  IdempotencyConflict,
  InvalidIdempotencyKey,
  InvalidResponse,
  type Issue,
  type LedgerError,
  QuotaExceeded,
  type QuotaUsage,
  RateLimitExceeded,
  RecordNotFound,
  RequestFailed,
  ServerError,
  Unauthorized,
  ValidationError
} from "../XaseError.ts"
import * as RetryAfter from "./RetryAfter.ts"
import { type Outgoing, parseJson, type Answer as Received, Transport } from "./Transport.ts"

/** The routes of a ledger, one method each. Every call is one attempt under one deadline. */
export interface Service {
  /** `POST /records`, once. */
  readonly append: (record: LedgerRecord) => Effect.Effect<Receipt, LedgerError>
  /** `GET /verify/{transactionId}`, once: what the ledger says of itself. Public, sent without the key. */
  readonly verify: (transactionId: string) => Effect.Effect<Verification, LedgerError>
  /** `GET /records`, once: a page of what the ledger holds, newest first. */
  readonly list: (query: RecordsQuery) => Effect.Effect<RecordsPage, LedgerError>
  /** Uses another API key from the next request on. */
  readonly setApiKey: (apiKey: Redacted.Redacted<string>) => Effect.Effect<void>
}

/** The ledger of the surrounding client. */
export class Ledger extends Context.Service<Ledger, Service>()("xase-sdk/Ledger") {}

/** How much of an unexpected answer an error may quote, in characters. */
const maxQuotedCharacters = 500

/** How much of the list of issues of a refusal is read. */
const maxQuotedIssues = 100
const maxAnswerDepth = 8

/** Talks to the ledger over a transport. */
export const layer: Layer.Layer<Ledger, never, XaseConfig | Transport> = Layer.effect(
  Ledger,
  Effect.gen(function* () {
    const config = yield* XaseConfig
    const { send } = yield* Transport
    let apiKey = config.apiKey

    const ownHeaders = {
      ...config.headers,
      accept: "application/json",
      "accept-encoding": "identity",
      "user-agent": config.headers["user-agent"] ?? `xase-sdk/${version}`
    }
    const postHeaders = { ...ownHeaders, "content-type": "application/json" }
    const recordsUrl = `${config.baseUrl}/records`

    const attempt = <A>(
      request: Outgoing,
      read: (answer: Answer) => Effect.Effect<A, LedgerError>
    ): Effect.Effect<A, LedgerError> =>
      Effect.flatMap(send(request), (answer) => read(parsed(answer, request.headers["x-api-key"])))

    const receiptOf = (answer: Answer, { body, idempotencyKey }: LedgerRecord): Effect.Effect<Receipt, LedgerError> => {
      if (!isSuccess(answer)) return refusal(withoutPayload(answer, body), idempotencyKey)
      const receipt = receiptIn(answer.body)
      return receipt === undefined ? decode(decodeReceipt, answer) : Effect.succeed(receipt)
    }

    return {
      append: (record) =>
        attempt(
          {
            method: "POST",
            url: recordsUrl,
            headers: {
              ...postHeaders,
              "x-api-key": Redacted.value(apiKey),
              "idempotency-key": record.idempotencyKey,
              // The same decision recorded again has another time and commitment: the embedded ledger compares this.
              ...(record.fingerprint === undefined ? {} : { "x-xase-fingerprint": record.fingerprint })
            },
            body: record.body,
            timeout: record.timeout ?? config.timeout
          },
          (answer) => receiptOf(answer, record)
        ),
      verify: (transactionId) =>
        attempt(
          {
            method: "GET",
            url: `${config.baseUrl}/verify/${encodeURIComponent(transactionId)}`,
            headers: ownHeaders,
            timeout: config.timeout
          },
          (answer) => {
            if (isSuccess(answer)) return decode(decodeVerification, answer)
            return answer.status === 404 ? Effect.fail(new RecordNotFound({ transactionId })) : refusal(answer, "")
          }
        ),
      list: (query) =>
        attempt(
          {
            method: "GET",
            url: `${recordsUrl}${toSearch(query)}`,
            headers: { ...ownHeaders, "x-api-key": Redacted.value(apiKey) },
            timeout: config.timeout
          },
          (answer) => (isSuccess(answer) ? decode(decodePage, answer) : refusal(answer, ""))
        ),
      setApiKey: (key) =>
        Effect.sync(() => {
          apiKey = key
        })
    }
  })
)

const toSearch = ({ limit, page, policy, search }: RecordsQuery): string => {
  const parameters = Object.entries({ page, limit, search, policyId: policy }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]
  )
  return parameters.length === 0 ? "" : `?${parameters.join("&")}`
}

/** An answer with its parsed JSON, `undefined` when the text is none. */
interface Answer extends Received {
  readonly body: unknown
}

const isSuccess = (answer: Answer): boolean => answer.status >= 200 && answer.status < 300

/** Errors quote answers, and a proxy that shows the request it got would have them quote the key that was sent. */
const parsed = ({ headers, status, text: received }: Received, apiKey: string | undefined): Answer => {
  const hasKey = apiKey !== undefined && received.includes(apiKey)
  const text = hasKey ? received.replaceAll(apiKey, "[API key]") : received
  return { status, headers, text, body: parseJson(text) }
}

/** A text of an answer without the words that the request has: a proxy that quotes a payload must not bring it into logs. */
const unquoted = (text: string, sent: string): string =>
  text.replace(/[^\s"'`:,;()[\]{}<>=|\\]+/g, (word) => {
    const lower = word.toLowerCase()
    // The name of a member says where a problem is, and is no value.
    if ((word.length < 3 && !/\d/.test(word)) || sent.includes(`"${lower}":`)) return word
    return sent.includes(lower) ? "[...]" : word
  })

const withoutPayload = (answer: Answer, sentBody: string): Answer => {
  const sent = sentBody.toLowerCase()
  const clean = (value: unknown, depth: number): unknown => {
    if (typeof value === "string") return unquoted(value.slice(0, maxQuotedCharacters), sent)
    if (depth > maxAnswerDepth || typeof value !== "object" || value === null) return value
    if (Array.isArray(value)) return value.slice(0, maxQuotedIssues).map((item) => clean(item, depth + 1))
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, clean(item, depth + 1)]))
  }
  if (!Predicate.isObject(answer.body)) {
    return { ...answer, text: unquoted(answer.text.slice(0, maxQuotedCharacters), sent) }
  }
  const body = { ...Object(clean(answer.body, 0)), code: answer.body.code }
  return { ...answer, text: unquoted(JSON.stringify(body), sent), body }
}

const decodeReceipt = Schema.decodeUnknownResult(ReceiptFromLedger)
const decodePage = Schema.decodeUnknownResult(RecordsPage)
const decodeVerification = Schema.decodeUnknownResult(VerificationFromLedger)

const decode = <A>(
  decoder: (body: unknown) => Result.Result<A, Schema.SchemaError>,
  { body, status, text }: Answer
): Effect.Effect<A, InvalidResponse> => {
  if (body === undefined) {
    const problem = text === "" ? "with an empty body" : "with a body that is not JSON (cut off, or not from a ledger)"
    return Effect.fail(new InvalidResponse({ status, problem }))
  }
  const decoded = decoder(body)
  return Result.isSuccess(decoded)
    ? Effect.succeed(decoded.success)
    : Effect.fail(
        new InvalidResponse({ status, problem: `without what the contract promises: ${decoded.failure.message}` })
      )
}

const field = (body: unknown, name: string): unknown => (Predicate.isObject(body) ? body[name] : undefined)

const textField = (body: unknown, name: string): string | undefined => {
  const value = field(body, name)
  return typeof value === "string" ? value.slice(0, maxQuotedCharacters) : undefined
}

/** The 401 that says that the ledger's database is down, and nothing about the key (ledger contract). */
const authenticationOutage = "Authentication error"

const refusal = (answer: Answer, idempotencyKey: string): Effect.Effect<never, LedgerError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.fail(refusalError(answer, idempotencyKey, now)))

const refusalError = (answer: Answer, idempotencyKey: string, now: number): LedgerError => {
  const { body, headers, status, text } = answer
  const reason = textField(body, "error") ?? `status ${status}`
  const code = textField(body, "code")
  const later = () => RetryAfter.fromAnswer(headers, body, now)
  const serverError = (): ServerError => {
    const retryAfter = later()
    return new ServerError({ status, reason, ...(retryAfter === undefined ? {} : { retryAfter }) })
  }
  switch (status) {
    case 400:
      if (code === "INVALID_IDEMPOTENCY_KEY")
        return new InvalidIdempotencyKey({ problem: "was refused by the ledger", statusCode: 400 })
      return new ValidationError({ issues: issuesFrom(body, reason), statusCode: 400 })
    case 401:
      return reason === authenticationOutage ? serverError() : new Unauthorized({ reason })
    case 402:
      return new QuotaExceeded({ usage: usageFrom(field(body, "usage")) })
    case 403: {
      const requiredPermission = textField(body, "required_permission")
      return new Forbidden(requiredPermission === undefined ? {} : { requiredPermission })
    }
    case 404:
      return new RecordNotFound({})
    case 408:
    case 425:
      return serverError()
    case 409:
      if (code === "IDEMPOTENCY_CONFLICT") return new IdempotencyConflict({ idempotencyKey, statusCode: 409 })
      break
    case 422:
      return new ValidationError({ issues: issuesFrom(body, reason), statusCode: 422 })
    case 429: {
      const retryAfter = later()
      return new RateLimitExceeded({ retryAfter: retryAfter ?? Duration.seconds(1), named: retryAfter !== undefined })
    }
  }
  return status >= 500 ? serverError() : new RequestFailed({ status, body: text.slice(0, maxQuotedCharacters) })
}

/** The ledger's own list of issues (`details: [{ path: [...], message }]`), else its one sentence. */
const issuesFrom = (body: unknown, reason: string): ReadonlyArray<Issue> => {
  const details = field(body, "details")
  if (!Array.isArray(details) || details.length === 0) return [{ path: "", message: reason }]
  return details.map((detail: unknown) => {
    const path = field(detail, "path")
    return {
      path: Array.isArray(path) ? path.map(friendlyName).join(".") : "",
      message: textField(detail, "message") ?? reason
    }
  })
}

const friendlyName = (key: unknown): string => (key === "policyId" ? "policy" : String(key))

const usageFrom = (usage: unknown): QuotaUsage => {
  const used = field(usage, "used")
  const limit = field(usage, "limit")
  const tier = field(usage, "tier")
  return {
    ...(typeof used === "number" && Number.isFinite(used) ? { used } : {}),
    ...(typeof limit === "number" && Number.isFinite(limit) ? { limit } : {}),
    ...(typeof tier === "string" ? { tier } : {})
  }
}
