/**
 * How requests leave the process on Node.
 *
 * The connection pool (undici, from `@effect/platform-node`) is loaded and made with the first request, so a client that
 * has nothing to send costs neither; it closes, with all its sockets, when the client does.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"

/**
 * Both modules are loaded with the first request. undici is imported here and not by `@effect/platform-node`, which
 * re-exports it with `export *` behind an `import()`: from a CommonJS package such names are lost when a bundler splits the
 * code, and no request would ever leave a bundle.
 */
const undiciLayer = Layer.unwrap(
  Effect.promise(async () => {
    const [NodeHttpClient, { Agent }] = await Promise.all([
      import("@effect/platform-node/NodeHttpClient"),
      import("undici")
    ])
    const dispatcher = Layer.effect(
      NodeHttpClient.Dispatcher,
      Effect.acquireRelease(
        Effect.sync(() => new Agent()),
        (agent) => Effect.promise(() => agent.destroy())
      )
    )
    return Layer.provide(NodeHttpClient.layerUndiciNoDispatcher, dispatcher)
  })
)

/** An `HttpClient` for Node that makes its connection pool with the first request. */
export const layer: Layer.Layer<HttpClient.HttpClient> = Layer.effect(
  HttpClient.HttpClient,
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const pool = yield* Effect.cached(
      Layer.build(undiciLayer).pipe(
        Scope.provide(scope),
        Effect.map(Context.get(HttpClient.HttpClient)),
        Effect.uninterruptible
      )
    )
    const postprocess = (request: Effect.Effect<HttpClientRequest, HttpClientError>) =>
      Effect.flatMap(request, (ready) => Effect.flatMap(pool, (client) => client.execute(ready)))
    return HttpClient.makeWith(postprocess, Effect.succeed)
  })
)
