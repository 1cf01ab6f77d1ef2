/**
 * How a fault is done: by answering something else, or by breaking the connection under the answer.
 *
 * The latter happens on Node's own response object, below everything that could repair it.
 */
import type { ServerResponse } from "node:http"
import { gzipSync } from "node:zlib"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { Fault } from "../faults/Faults.ts"
import * as Answers from "./Answers.ts"

type Handler<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

/**
 * Handles a request with faults, in the order in which they are given. Faults that never answer end when the connection
 * does.
 */
export const inject = <E, R>(
  faults: ReadonlyArray<Fault>,
  request: HttpServerRequest,
  handler: Handler<E, R>
): Handler<E, R> =>
  Effect.interruptible(faults.reduceRight((inner, fault) => injectOne(fault, request, inner), handler))

const injectOne = <E, R>(fault: Fault, request: HttpServerRequest, handler: Handler<E, R>): Handler<E, R> => {
  const faulty = isCommitted(fault)
    ? Effect.flatMap(handler, (response) => answer(fault, request, response))
    : fault.type === "none"
      ? handler
      : answer(fault, request, Answers.internalError)
  return fault.delay === undefined ? faulty : Effect.delay(faulty, fault.delay)
}

const isCommitted = (fault: Fault): boolean => {
  if (fault.commit !== undefined) return fault.commit && fault.type !== "none"
  if (fault.type === "reset") return fault.when === "inside"
  if (fault.type === "stall") return fault.where === "body"
  return fault.type === "truncate" || fault.type === "alien-body" || fault.type === "gzip-bomb"
}

/** The faulty answer, given the one that would have been right. */
const answer = (
  fault: Fault,
  request: HttpServerRequest,
  right: HttpServerResponse.HttpServerResponse
): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  switch (fault.type) {
    case "none":
      return Effect.succeed(right)
    case "status":
      return Effect.succeed(otherStatus(fault))
    case "rate-limit":
      return Effect.map(Clock.currentTimeMillis, (now) => later(fault, now))
    case "redirect":
      return Effect.succeed(
        HttpServerResponse.empty({ status: fault.status ?? 307, headers: { location: fault.location } })
      )
    case "alien-body":
      return Effect.succeed(
        HttpServerResponse.text(fault.body, {
          status: fault.status ?? right.status,
          contentType: fault.contentType ?? "application/json"
        })
      )
    case "gzip-bomb":
      return Effect.sync(() => bomb(fault.megabytes, right.status))
    case "reset":
      return fault.when === "inside"
        ? breakInside(request, right, (response) => response.socket?.resetAndDestroy())
        : breakBefore(request)
    case "stall":
      return fault.where === "body" ? breakInside(request, right, () => undefined) : Effect.never
    case "truncate":
      return breakInside(request, right, (response) => response.socket?.end())
  }
}

const otherStatus = (fault: Extract<Fault, { readonly type: "status" }>) => {
  const headers = fault.headers ?? {}
  if (fault.body !== undefined) return HttpServerResponse.text(fault.body, { status: fault.status, headers })
  const code = fault.code ?? codes.get(fault.status) ?? "INTERNAL_ERROR"
  return Answers.json(fault.status, { error: "Fault on request", code }, headers)
}

const codes: ReadonlyMap<number, string> = new Map([
  [400, "VALIDATION_ERROR"],
  [401, "UNAUTHORIZED"],
  [402, "LIMIT_EXCEEDED"],
  [403, "FORBIDDEN"],
  [404, "NOT_FOUND"],
  [409, "IDEMPOTENCY_CONFLICT"],
  [413, "PAYLOAD_TOO_LARGE"],
  [429, "RATE_LIMIT_EXCEEDED"]
])

const later = (fault: Extract<Fault, { readonly type: "rate-limit" }>, now: number) => {
  const at = now + fault.seconds * 1000
  const body = { error: "Rate limit exceeded", code: "RATE_LIMIT_EXCEEDED" }
  const limited = (headers: Record<string, string>) => Answers.json(429, body, headers)
  switch (fault.later) {
    case "none":
      return limited({})
    case "body":
      return Answers.json(429, { ...body, retry_after: fault.seconds })
    case "retry-after-seconds":
      return limited({ "retry-after": String(fault.seconds) })
    case "retry-after-date":
      return limited({ "retry-after": new Date(at).toUTCString() })
    case "reset-seconds":
      return limited({ "x-ratelimit-reset": String(Math.ceil(at / 1000)) })
    case "reset-millis":
      return limited({ "x-ratelimit-reset": String(at) })
    case "reset-delta":
      return limited({ "x-ratelimit-reset": String(fault.seconds) })
  }
}

const bomb = (megabytes: number, status: number) =>
  HttpServerResponse.uint8Array(gzipSync(Buffer.alloc(megabytes * 1024 * 1024, " ")), {
    status,
    contentType: "application/json",
    headers: { "content-encoding": "gzip" }
  })

const breakBefore = (request: HttpServerRequest): Effect.Effect<never> =>
  Effect.andThen(
    Effect.sync(() => {
      NodeHttpServerRequest.toIncomingMessage(request).socket.resetAndDestroy()
    }),
    Effect.never
  )

/** How long half an answer has to reach the client before the connection breaks. */
const untilReceived = "20 millis"

/** Sends half of the right answer, then breaks. Waits to be interrupted by the end of the connection. */
const breakInside = (
  request: HttpServerRequest,
  right: HttpServerResponse.HttpServerResponse,
  breakOff: (response: ServerResponse) => void
): Effect.Effect<never> =>
  Effect.gen(function* () {
    const response = NodeHttpServerRequest.toServerResponse(request)
    if (!("strictContentLength" in response)) return yield* Effect.never
    const body = bytesOf(right)
    response.writeHead(right.status, {
      ...right.headers,
      "content-type": "application/json",
      "content-length": body.length
    })
    response.write(body.subarray(0, Math.ceil(body.length / 2)))
    yield* Effect.sleep(untilReceived)
    breakOff(response)
    return yield* Effect.never
  })

const bytesOf = (response: HttpServerResponse.HttpServerResponse): Uint8Array =>
  response.body._tag === "Uint8Array" ? response.body.body : new TextEncoder().encode("{}")
