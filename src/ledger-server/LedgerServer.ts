/**
 * The embedded ledger: all of Xase in one process, on one port, in one folder or in memory.
 *
 * `LedgerServer.layer(options)` runs it for as long as its scope lives. It is ready when the layer is built, and when the
 * scope closes its connections end, stalled ones too. `startLedger` is the same for plain TypeScript.
 */
import type { Server } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiScalar from "effect/http-api/HttpApiScalar"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as References from "effect/References"
import * as NodeSqlite from "../sql/NodeSqlite.ts"
import * as Database from "./database/Database.ts"
import * as DataFolder from "./database/DataFolder.ts"
import * as Faults from "./faults/Faults.ts"
import * as Tampering from "./faults/Tampering.ts"
import * as ApiKeys from "./keys/ApiKeys.ts"
import {
  type LedgerOptions,
  LedgerSettings,
  LedgerStartFailed,
  make as makeSettings,
  type Settings
} from "./LedgerSettings.ts"
import * as Pages from "./pages/Pages.ts"
import * as SigningKey from "./proofs/SigningKey.ts"
import * as Interventions from "./records/Interventions.ts"
import * as Recorder from "./records/RecordAppender.ts"
import * as Seal from "./records/Seal.ts"
import * as Store from "./records/Store.ts"
import * as AdminRoutes from "./routes/AdminRoutes.ts"
import { LedgerApi } from "./routes/Api.ts"
import * as ExportHandlers from "./routes/ExportHandlers.ts"
import * as Fallbacks from "./routes/Fallbacks.ts"
import * as Gate from "./routes/Gate.ts"
import * as InterventionHandlers from "./routes/InterventionHandlers.ts"
import { basePath, Origin } from "./routes/Origin.ts"
import * as RecordRoute from "./routes/RecordRoute.ts"
import * as RecordsHandlers from "./routes/RecordsHandlers.ts"
import * as VerificationHandlers from "./routes/VerificationHandlers.ts"

/** Where a running ledger is, and the key to it. */
export interface Address {
  /** Scheme, host and port. */
  readonly origin: string
  /** What `XASE_BASE_URL` wants: the origin and `/api/xase/v1`. */
  readonly baseUrl: string
  /** A key with all permissions. */
  readonly apiKey: string
  /** The key to the admin routes, for the header `X-Admin-Key`. */
  readonly adminKey: string
  /** The page that lists the records. */
  readonly dashboardUrl: string
}

/** A running ledger. */
export interface Service extends Address {
  /** Makes another key. */
  readonly createKey: (options?: ApiKeys.CreateKeyOptions) => Effect.Effect<ApiKeys.CreatedKey, ApiKeys.InvalidApiKey>
  /** Ends a key. Answers whether there was such a key. */
  readonly revokeKey: (keyId: string) => Effect.Effect<boolean>
  /** Suspends a tenant, or lets it in again. */
  readonly setTenantStatus: (tenant: string, status: ApiKeys.TenantStatus) => Effect.Effect<void>
  /** Replaces what shall go wrong; `{}` ends all faults. */
  readonly setFaults: (faults: Faults.FaultSettings) => Effect.Effect<void, Faults.InvalidFaults>
  /** What still shall go wrong. */
  readonly faults: Effect.Effect<Faults.FaultSettings>
  /** Changes stored records behind the ledger's back. */
  readonly tamper: (change: Tampering.Tampering) => Effect.Effect<Tampering.Tampered, Tampering.TamperingFailed>
}

/**
 * A running ledger.
 *
 * **Example**
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const ledger = yield* LedgerServer
 *   yield* ledger.setFaults({ sequence: [{ type: "status", status: 503 }] })
 *   yield* Effect.log(ledger.baseUrl)
 * }).pipe(Effect.provide(LedgerServer.layer({ rateLimit: "unlimited" })))
 * ```
 */
export class LedgerServer extends Context.Service<LedgerServer, Service>()("xase-sdk/LedgerServer") {
  /** Runs a ledger for as long as the scope lives. */
  static readonly layer = (options: LedgerOptions = {}): Layer.Layer<LedgerServer, LedgerStartFailed> =>
    Layer.unwrap(
      Effect.gen(function* () {
        const settings = yield* makeSettings(options)
        const files = yield* DataFolder.open(settings.dataFolder)
        return running(settings, files)
      })
    )
}

const running = (settings: Settings, files: DataFolder.LedgerFiles) =>
  makeService.pipe(
    Layer.provideMerge(serving),
    Layer.provide(RecordRoute.layer),
    Layer.provide(listening(settings)),
    Layer.provide(core(settings, files)),
    Layer.provide(Layer.succeed(LedgerSettings, settings)),
    Layer.provide(quiet(settings))
  )

/** Everything below HTTP. */
const core = (settings: Settings, files: DataFolder.LedgerFiles) => {
  const recorder = settings.compat === "public" ? Recorder.layerPublic : Recorder.layer
  const faults = Layer.catchTag(Faults.layer(settings.faults), "InvalidFaults", (error) =>
    Layer.effectContext(Effect.fail(new LedgerStartFailed({ reason: "Options", detail: error.message })))
  )
  return recorder.pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        Store.layer(Seal.make(files.sealKey)),
        ApiKeys.layer,
        Interventions.layer,
        faults,
        Layer.sync(ExportHandlers.CurrentSigningKey, () => SigningKey.make(files.signingKey))
      )
    ),
    Layer.provideMerge(Database.layer(files.database))
  )
}

/** No spans: a ledger under test must not trace itself into the traces of what it tests. */
const quiet = (settings: Settings) =>
  Layer.mergeAll(
    Layer.succeed(References.TracerEnabled, false),
    Layer.succeed(
      HttpIncomingMessage.MaxBodySize,
      settings.maxBodyBytes === undefined ? undefined : ByteSize.bytes(settings.maxBodyBytes)
    )
  )

/** How long open connections may go on when the ledger closes, in milliseconds. */
const closingGrace = 250

const closeConnections = (server: Server): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (!server.listening) return resume(Effect.void)
    const force = setTimeout(() => server.closeAllConnections(), closingGrace)
    server.close(() => {
      clearTimeout(force)
      resume(Effect.void)
    })
    server.closeIdleConnections()
  })

const startFailed = ({ host, port }: Settings, cause: unknown): LedgerStartFailed => {
  const code = Predicate.hasProperty(cause, "code") ? cause.code : undefined
  if (code === "EADDRINUSE") {
    return new LedgerStartFailed({ reason: "PortInUse", detail: `port ${port} on ${host} is in use`, cause })
  }
  return new LedgerStartFailed({
    reason: "Address",
    detail: `it cannot listen on ${host}, port ${port} (${Database.rootMessage(cause)})`,
    cause
  })
}

/** The port, taken after the database is ready and given back before it closes. */
const listening = (settings: Settings) => {
  const { host, port, requestTimeout } = settings
  const server = createServerOf(requestTimeout)
  const http = Layer.unwrap(
    Effect.gen(function* () {
      yield* Recorder.Recorder
      return NodeHttpServer.layer(() => server, { host, port, disablePreemptiveShutdown: true })
    })
  ).pipe(Layer.catchTag("ServeError", (error) => Layer.effectContext(Effect.fail(startFailed(settings, error.cause)))))
  const closing = Layer.effectDiscard(Effect.addFinalizer(() => closeConnections(server)))
  const origin = Layer.effect(
    Origin,
    Effect.map(HttpServer.HttpServer, ({ address }) => ({ origin: originOf(settings, address) }))
  )
  return Layer.merge(closing, origin).pipe(Layer.provideMerge(http))
}

/** A client that sends slowly is cut off: Node looks at all connections every second. */
const createServerOf = (requestTimeout: number): Server =>
  // Loaded here and not with the module: loading it opens standard error.
  process.getBuiltinModule("node:http").createServer({
    requestTimeout,
    headersTimeout: Math.min(requestTimeout, 10_000),
    keepAliveTimeout: 30_000,
    connectionsCheckingInterval: 1000
  })

const anyAddress: ReadonlySet<string> = new Set(["0.0.0.0", "::"])

const originOf = ({ host }: Settings, address: HttpServer.HttpServer["Service"]["address"]): string => {
  const port = "port" in address ? address.port : 0
  const name = anyAddress.has(host) ? "127.0.0.1" : host
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`
}

const serving = HttpRouter.serve(
  Layer.mergeAll(
    HttpApiBuilder.layer(LedgerApi, { openapiPath: "/openapi.json" }).pipe(
      Layer.provide([
        RecordsHandlers.layer,
        VerificationHandlers.layer,
        InterventionHandlers.layer,
        ExportHandlers.layer
      ])
    ),
    HttpApiScalar.layer(LedgerApi, { path: "/docs" }),
    AdminRoutes.layer,
    Pages.layer,
    Fallbacks.layer,
    Gate.layer
  ),
  { disableLogger: true, disableListenLog: true, routerConfig: { ignoreTrailingSlash: false } }
)

const makeService = Layer.effect(
  LedgerServer,
  Effect.gen(function* () {
    const settings = yield* LedgerSettings
    const keys = yield* ApiKeys.ApiKeys
    const faults = yield* Faults.Faults
    const sqlite = yield* NodeSqlite.NodeSqlite
    const { origin } = yield* Origin
    const { apiKey } = yield* Effect.mapError(
      keys.create({ apiKey: settings.apiKey }),
      (error) => new LedgerStartFailed({ reason: "Options", detail: error.message })
    )
    return {
      origin,
      baseUrl: `${origin}${basePath}`,
      apiKey,
      adminKey: settings.adminKey,
      dashboardUrl: `${origin}/xase/records`,
      createKey: (options) => keys.create(options ?? {}),
      revokeKey: keys.revoke,
      setTenantStatus: keys.setTenantStatus,
      setFaults: faults.set,
      faults: faults.current,
      tamper: (change) => Tampering.tamper(sqlite, change)
    }
  })
)
