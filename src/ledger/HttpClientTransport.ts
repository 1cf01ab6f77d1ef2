/**
 * How requests leave the process anywhere: over whatever `HttpClient` the application provides.
 */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { type InvalidResponse, RequestTimeout } from "../XaseError.ts"
import { maxAnswerBytes, networkError, Transport, tooLarge } from "./Transport.ts"

/** Sends over whatever `HttpClient` is provided. */
export const layer: Layer.Layer<Transport, never, HttpClient.HttpClient> = Layer.effect(
  Transport,
  Effect.map(HttpClient.HttpClient, (provided) => {
    const client = provided.pipe(HttpClient.transformResponse(asOurOwn))
    return {
      send: ({ body, headers, method, timeout, url }) => {
        const bare = HttpClientRequest.make(method)(url, { headers })
        const request =
          body === undefined ? bare : HttpClientRequest.setBody(bare, HttpBody.text(body, "application/json"))
        return client.execute(request).pipe(
          Effect.flatMap((response) =>
            Effect.map(readText(response), (text) => ({ status: response.status, headers: response.headers, text }))
          ),
          Effect.catchTag("HttpClientError", (error) =>
            Effect.fail(networkError(error.reason.cause, error.reason._tag))
          ),
          Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(new RequestTimeout({ timeout })) })
        )
      }
    }
  })
)

/** No trace headers leave the process, no span per request (delivery makes its own), no redirect is followed. */
const asOurOwn = (
  response: Effect.Effect<HttpClientResponse, HttpClientError>
): Effect.Effect<HttpClientResponse, HttpClientError> =>
  response.pipe(
    Effect.provideService(HttpClient.TracerDisabledWhen, () => true),
    Effect.provideService(HttpClient.TracerPropagationEnabled, false),
    Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" })
  )

/** An announced length is enforced by the parser of HTTP; any other body is counted while it arrives. */
const readText = (response: HttpClientResponse): Effect.Effect<string, HttpClientError | InvalidResponse> => {
  const announced = Number(response.headers["content-length"] ?? Number.NaN)
  const isPlain = response.headers["content-encoding"] === undefined
  if (isPlain && announced <= maxAnswerBytes) return response.text
  const decoder = new TextDecoder()
  let bytes = 0
  return response.stream.pipe(
    Stream.mapEffect((chunk) => {
      bytes += chunk.byteLength
      return bytes > maxAnswerBytes
        ? Effect.fail(tooLarge(response.status))
        : Effect.succeed(decoder.decode(chunk, { stream: true }))
    }),
    Stream.mkString
  )
}
