/**
 * How requests leave the process on Node: straight through undici's dispatcher.
 *
 * The connection pool is loaded and made with the first request, so a client that has nothing to send costs neither; it
 * closes, with all its sockets, when the client does. Sockets do not keep the process alive: whoever waits for an answer
 * has a deadline that does, and background delivery must not hold up the end of its host.
 *
 * An answer is collected in one handler instead of a stream, a promise and an abort signal, which is what makes this several
 * times as fast as the general way (`npm run bench -- delivery`).
 */

import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Dispatcher } from "undici"
import { InvalidResponse, RequestTimeout } from "../XaseError.ts"
import {
  type Answer,
  maxAnswerBytes,
  networkError,
  type Outgoing,
  type SendError,
  Transport,
  tooLarge
} from "./Transport.ts"

const make = (timersKeepAlive: boolean): Layer.Layer<Transport> =>
  Layer.effect(
    Transport,
    Effect.gen(function* () {
      let pool: Dispatcher | undefined
      const makePool = yield* Effect.cached(Effect.uninterruptible(Effect.promise(openPool)))
      yield* Effect.addFinalizer(() => Effect.promise(async () => pool?.destroy()))
      const target = targets()
      return {
        send: (request) =>
          pool === undefined
            ? Effect.flatMap(makePool, (made) => {
                pool = made
                return dispatch(made, request, target(request.url), timersKeepAlive)
              })
            : dispatch(pool, request, target(request.url), timersKeepAlive)
      }
    })
  )

/** A transport for Node that makes its connection pool with the first request. */
export const layer = make(true)

/** The same for delivery in the background, where not even the deadline of a request keeps the process alive. */
export const layerBackground = make(false)

interface Target {
  readonly origin: string
  readonly path: string
}

/** Nearly all requests go to one address, and taking it apart costs more than comparing it. */
const targets = (): ((url: string) => Target) => {
  let last = ""
  let target: Target = { origin: "", path: "" }
  return (url) => {
    if (url !== last) {
      const { origin, pathname, search } = new URL(url)
      last = url
      target = { origin, path: pathname + search }
    }
    return target
  }
}

/** The longest delay that `setTimeout` takes. */
const maxTimerMillis = 2 ** 31 - 1

/** The variables that name a proxy, as curl and Node read them. */
const proxyVariables = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"]

const openPool = async (): Promise<Dispatcher> => {
  const { Agent, buildConnector, EnvHttpProxyAgent } = await import("undici")
  if (proxyVariables.some((name) => (process.env[name] ?? "") !== "")) {
    // A proxy cannot reach this machine's own addresses. The agent lets go of idle sockets by itself.
    const noProxy = [process.env.NO_PROXY ?? process.env.no_proxy ?? "", "localhost,127.0.0.1,[::1]"].join(",")
    return new EnvHttpProxyAgent({ noProxy })
  }
  const connect = buildConnector({})
  return new Agent({
    connect: (options, callback) =>
      connect(options, (...result) => {
        const [error, socket] = result
        if (error === null) {
          // The dispatcher refs the socket of every request; this one keeps no process alive.
          socket.unref()
          socket.ref = () => socket
        }
        callback(...result)
      })
  })
}

const dispatch = (
  pool: Dispatcher,
  { body, headers: requestHeaders, method, timeout }: Outgoing,
  { origin, path }: Target,
  keepsAlive: boolean
): Effect.Effect<Answer, SendError> =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    let controller: Dispatcher.DispatchController | undefined
    let isAborted = false
    let status = 0
    let bytes = 0
    let headers: Answer["headers"] = {}
    const abort = (): void => {
      clearTimeout(timer)
      isAborted = true
      controller?.abort(new Error("the request was given up"))
    }
    const end = (result: Effect.Effect<Answer, SendError>): void => {
      clearTimeout(timer)
      resume(result)
    }
    // A timer here, and not an effect that races: two fibers for each request would cost as much as the rest of it.
    const timer = setTimeout(
      () => {
        resume(Effect.fail(new RequestTimeout({ timeout })))
        abort()
      },
      Math.min(Duration.toMillis(timeout), maxTimerMillis)
    )
    if (!keepsAlive) timer.unref()
    pool.dispatch(
      {
        origin,
        path,
        method,
        headers: requestHeaders,
        body: body ?? null,
        headersTimeout: 0,
        bodyTimeout: 0
      },
      {
        onRequestStart: (started) => {
          controller = started
          if (isAborted) abort()
        },
        onResponseStart: (_, statusCode, received) => {
          status = statusCode
          headers = flat(received)
        },
        onResponseData: (_, chunk) => {
          bytes += chunk.length
          chunks.push(chunk)
          if (bytes <= maxAnswerBytes) return
          end(Effect.fail(tooLarge(status)))
          abort()
        },
        onResponseEnd: () => {
          const content = decompressed(Buffer.concat(chunks), headers["content-encoding"])
          end(
            content === undefined
              ? Effect.fail(new InvalidResponse({ status, problem: "with a body that cannot be decompressed" }))
              : Effect.succeed({ status, headers, text: textOf(content) })
          )
        },
        onResponseError: (_, error) => end(Effect.fail(networkError(error)))
      }
    )
    return Effect.sync(abort)
  })

const flat = (headers: { readonly [name: string]: string | ReadonlyArray<string> | undefined }): Answer["headers"] => {
  const result: Record<string, string | undefined> = {}
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    result[name] = typeof value === "string" ? value : value?.join(", ")
  }
  return result
}

const byteOrderMark = 0xfeff

const textOf = (content: Buffer): string => {
  const text = content.toString("utf8")
  return text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text
}

/** A proxy may compress although it was asked not to; the bound holds for what comes out too. */
const decompressed = (content: Buffer, encoding = "identity"): Buffer | undefined => {
  const options = { maxOutputLength: maxAnswerBytes }
  try {
    switch (encoding.trim().toLowerCase()) {
      case "":
      case "identity":
        return content
      case "gzip":
      case "x-gzip":
        return gunzipSync(content, options)
      case "deflate":
        return inflateSync(content, options)
      case "br":
        return brotliDecompressSync(content, options)
      default:
        return undefined
    }
  } catch {
    return undefined
  }
}
