/**
 * What every request passes before its route: the Host header, the form of the path, the faults.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { Faults } from "../faults/Faults.ts"
import { LedgerSettings, type Settings } from "../LedgerSettings.ts"
import * as Answers from "./Answers.ts"
import * as FaultInjection from "./FaultInjection.ts"
import { basePath, Origin } from "./Origin.ts"
import { RecordRoute } from "./RecordRoute.ts"

/** The gate, in front of every route. */
export const layer = HttpRouter.middleware(
  Effect.gen(function* () {
    const settings = yield* LedgerSettings
    const faults = yield* Faults
    const { origin } = yield* Origin
    const recording = yield* RecordRoute
    const turnAway = turnAwayFrom(settings, origin)

    return (routed) =>
      Effect.flatMap(HttpServerRequest, (request) => {
        const refusal = turnAway(request)
        if (refusal !== undefined) return Effect.succeed(refusal)
        const isRecord = isRecording(request)
        const handler = isRecord ? Effect.interruptible(recording.handle(request)) : routed
        if (!faults.concerns(isRecord)) return handler
        return Effect.flatMap(faults.next, (next) => FaultInjection.inject(next, request, handler))
      })
  }),
  { global: true }
)

const recordsPath = `${basePath}/records`

const isRecording = (request: HttpServerRequest): boolean =>
  request.method === "POST" && pathOf(request) === recordsPath

const pathOf = ({ url }: HttpServerRequest): string => {
  const query = url.indexOf("?")
  return query === -1 ? url : url.slice(0, query)
}

const turnAwayFrom =
  ({ allowedHosts, compat }: Settings, origin: string) =>
  (request: HttpServerRequest): HttpServerResponse.HttpServerResponse | undefined => {
    if (!allowedHosts.has(hostName(request.headers.host ?? ""))) return Answers.foreignHost
    if (compat === "public" && carriesCsrfCookie(request)) return toLogin(request, origin)
    return isNormal(pathOf(request)) ? undefined : toNormalPath(request)
  }

const hostName = (host: string): string => host.replace(/:\d+$/, "").toLowerCase()

/** With its own cookie sent back, the public ledger answers every route with its login page. */
const carriesCsrfCookie = (request: HttpServerRequest): boolean =>
  request.headers.cookie?.includes("x-csrf-token=") === true

const toLogin = (request: HttpServerRequest, origin: string) => {
  const location = `${origin}/login?callbackUrl=${encodeURIComponent(request.url)}`
  return HttpServerResponse.text(location, { status: 307, headers: { location } })
}

const isNormal = (path: string): boolean => path === "/" || !(path.endsWith("/") || path.includes("//"))

const toNormalPath = (request: HttpServerRequest) => {
  const path = pathOf(request)
  const location = `${path.replace(/\/{2,}/g, "/").replace(/(?<=.)\/$/, "")}${request.url.slice(path.length)}`
  return HttpServerResponse.text(location, { status: 308, headers: { location } })
}
