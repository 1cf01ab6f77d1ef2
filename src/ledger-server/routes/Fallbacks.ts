/**
 * What is answered where no route is: 404 for unknown paths, 405 and `OPTIONS` for known ones.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Answers from "./Answers.ts"
import { basePath } from "./Origin.ts"

type Path = `/${string}`

/** The paths of the contract, with the methods that they have. */
const paths: ReadonlyArray<readonly [Path, ReadonlyArray<string>]> = [
  [`${basePath}/records`, ["GET", "POST"]],
  [`${basePath}/verify/:id`, ["GET"]],
  [`${basePath}/records/:id/intervene`, ["GET", "POST"]],
  [`${basePath}/export/:id`, ["GET", "POST"]],
  [`${basePath}/export/:id/download`, ["GET"]],
  [`${basePath}/public-keys`, ["GET"]]
]

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const

const allowed = (known: ReadonlyArray<string>): string =>
  [...known, ...(known.includes("GET") ? ["HEAD"] : []), "OPTIONS"].sort().join(", ")

const otherMethods = paths.flatMap(([path, known]) =>
  methods
    .filter((method) => !known.includes(method))
    .map((method) =>
      HttpRouter.route(
        method,
        path,
        Effect.succeed(
          method === "OPTIONS"
            ? HttpServerResponse.empty({ status: 204, headers: { allow: allowed(known) } })
            : Answers.methodNotAllowed
        )
      )
    )
)

const elsewhere = methods.map((method) => HttpRouter.route(method, "/*", Effect.succeed(Answers.noSuchPath)))

/** The fallbacks, behind every route. */
export const layer = Layer.mergeAll(HttpRouter.addAll(otherMethods), HttpRouter.addAll(elsewhere))
