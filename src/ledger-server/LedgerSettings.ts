/**
 * What a ledger is told when it starts: its options, checked, with their defaults.
 */
import { randomBytes } from "node:crypto"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { FaultSettings } from "./faults/Faults.ts"
import { isApiKey } from "./keys/ApiKeys.ts"

/** Options of an embedded ledger. All may be absent. */
export interface LedgerOptions {
  /** The port to listen on; 0 takes a free one. Default 0. */
  readonly port?: number | undefined
  /** The address to listen on. Default 127.0.0.1: nobody else can reach it. */
  readonly host?: string | undefined
  /** Host names under which it may be addressed, besides `localhost`, the loopback addresses and `host`. */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  /** Where records are kept; made if need be. Absent: in memory, gone when the ledger closes. */
  readonly dataFolder?: string | undefined
  /** A fixed API key (`xase_pk_` and 24 to 128 letters, digits, `-`, `_`). Absent: a fresh one at each start. */
  readonly apiKey?: string | undefined
  /** `POST /records` per UTC clock hour and key. Default 1,000, as on the public ledger. */
  readonly rateLimit?: number | "unlimited" | undefined
  /** `POST /records` per tenant before 402. Default: none. */
  readonly quota?: number | undefined
  /** The largest request body. Default 10 MiB; unlimited with `compat: "public"`. */
  readonly maxBodyBytes?: number | undefined
  /** How long a client may take to send a request, in milliseconds. Default 30,000. */
  readonly requestTimeout?: number | undefined
  /** What shall go wrong, from the start. Can be changed at run time. */
  readonly faults?: FaultSettings | undefined
  /**
   * `embedded` (default) is right where the public ledger is weak: no forks, keys remembered across restarts, another
   * body under a used key refused. `public` is as weak as the public ledger, for tests.
   */
  readonly compat?: "embedded" | "public" | undefined
  /** What `X-Admin-Key` must be for the admin routes. Absent: a fresh one at each start. */
  readonly adminKey?: string | undefined
}

/** {@link LedgerOptions}, checked. */
export interface Settings {
  readonly port: number
  readonly host: string
  readonly allowedHosts: ReadonlySet<string>
  readonly dataFolder: string | undefined
  readonly apiKey: string | undefined
  readonly rateLimit: number | "unlimited"
  readonly quota: number | undefined
  readonly maxBodyBytes: number | undefined
  readonly requestTimeout: number
  readonly faults: FaultSettings
  readonly compat: "embedded" | "public"
  readonly adminKey: string
}

/** {@link LedgerOptions}, checked, as a service. */
export class LedgerSettings extends Context.Service<LedgerSettings, Settings>()("xase-sdk/LedgerSettings") {}

/** The ledger cannot start. */
export class LedgerStartFailed extends Schema.TaggedError<LedgerStartFailed>()("LedgerStartFailed", {
  reason: Schema.Literals(["Options", "PortInUse", "Address", "DataFolder", "Database"]),
  detail: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `The ledger cannot start: ${this.detail}`
  }
}

const minAdminKeyLength = 16

const mebibyte = 1024 * 1024

const refuse = (detail: string) => new LedgerStartFailed({ reason: "Options", detail })

const isCount = (value: number, from: number): boolean => Number.isSafeInteger(value) && value >= from

const rateLimitOf = (rateLimit: number | "unlimited"): number | "unlimited" =>
  rateLimit === Number.POSITIVE_INFINITY ? "unlimited" : rateLimit

/** Checks options and fills in what they leave open. */
export const make = Effect.fnUntraced(function* (options: LedgerOptions) {
  const host = options.host ?? "127.0.0.1"
  const compat = options.compat ?? "embedded"
  const settings: Settings = {
    port: options.port ?? 0,
    host,
    allowedHosts: new Set(["localhost", "127.0.0.1", "[::1]", host, ...(options.allowedHosts ?? [])]),
    dataFolder: options.dataFolder,
    apiKey: options.apiKey,
    rateLimit: rateLimitOf(options.rateLimit ?? 1000),
    quota: options.quota,
    maxBodyBytes: options.maxBodyBytes ?? (compat === "public" ? undefined : 10 * mebibyte),
    requestTimeout: options.requestTimeout ?? 30_000,
    faults: options.faults ?? {},
    compat,
    adminKey: options.adminKey ?? `xase_admin_${randomBytes(24).toString("hex")}`
  }
  if (settings.adminKey.length < minAdminKeyLength) {
    return yield* refuse(`adminKey must have at least ${minAdminKeyLength} characters`)
  }
  if (!isCount(settings.port, 0) || settings.port > 65_535) {
    return yield* refuse(`port must be 0 (any free one) to 65535, not ${settings.port}`)
  }
  if (settings.host === "") return yield* refuse("host must not be empty")
  if (settings.dataFolder === "")
    return yield* refuse("dataFolder must not be empty: leave it out for a ledger in memory")
  if (settings.apiKey !== undefined && !isApiKey(settings.apiKey)) {
    return yield* refuse("apiKey must be xase_pk_ and 24 to 128 letters, digits, - or _")
  }
  if (settings.rateLimit !== "unlimited" && !isCount(settings.rateLimit, 0)) {
    return yield* refuse(`rateLimit must be a whole number or "unlimited", not ${settings.rateLimit}`)
  }
  if (settings.quota !== undefined && !isCount(settings.quota, 0)) {
    return yield* refuse(`quota must be a whole number, not ${settings.quota}`)
  }
  if (settings.maxBodyBytes !== undefined && !isCount(settings.maxBodyBytes, 1)) {
    return yield* refuse(`maxBodyBytes must be a whole number from 1, not ${settings.maxBodyBytes}`)
  }
  if (!isCount(settings.requestTimeout, 1)) {
    return yield* refuse(`requestTimeout must be milliseconds from 1, not ${settings.requestTimeout}`)
  }
  if (settings.compat !== "embedded" && settings.compat !== "public") {
    return yield* refuse('compat must be "embedded" or "public"')
  }
  return settings
})
