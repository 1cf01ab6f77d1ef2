/**
 * API keys: who may do what.
 *
 * A key is shown once, when it is made. The ledger keeps its SHA-256 (a key is random and long, so a fast hash is
 * enough); hashes are compared in constant time. What is found out about a key is remembered for a second, so a key that
 * another process revokes in the same database may be accepted that much longer.
 */
import { hash, randomBytes, timingSafeEqual } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { NodeSqlite } from "../../sql/NodeSqlite.ts"
import type { Row } from "../../sql/Sqlite.ts"

/** What a key may be allowed to do. Every valid key may list records. */
export const permissions = ["ingest", "export", "verify"] as const

/** Something that a key may be allowed to do. */
export type Permission = (typeof permissions)[number]

/** What a new key shall be. */
export interface CreateKeyOptions {
  /** A name for people. */
  readonly name?: string | undefined
  /** Everything, unless told otherwise. */
  readonly permissions?: ReadonlyArray<Permission> | undefined
  /** The tenant whose chain the key writes; made if it does not exist. */
  readonly tenant?: string | undefined
  /** Its own limit of `POST /records` per clock hour, instead of the ledger's. */
  readonly rateLimit?: number | undefined
  /** The key itself, instead of a random one. */
  readonly apiKey?: string | undefined
}

/** A new key. `apiKey` is not kept by the ledger: this is the only time that it is shown. */
export interface CreatedKey {
  readonly id: string
  readonly apiKey: string
  readonly name: string
  readonly tenant: string
  readonly permissions: ReadonlyArray<Permission>
}

/** A key as the ledger knows it: not the key itself, only how it begins. */
export interface KnownKey {
  readonly id: string
  readonly prefix: string
  readonly name: string
  readonly tenant: string
  readonly permissions: ReadonlyArray<string>
  readonly isActive: boolean
  /** Epoch milliseconds. */
  readonly createdAt: number
}

/** Whoever sent a request. */
export interface Caller {
  readonly keyId: string
  readonly tenantId: string
  readonly permissions: ReadonlySet<string>
  /** Its own limit per hour; `null` when the ledger's applies. */
  readonly rateLimit: number | null
}

/** The caller, or why there is none, in the ledger's words. */
export type Authentication =
  | { readonly _tag: "Known"; readonly caller: Caller }
  | { readonly _tag: "Refused"; readonly error: string }

/** A key that cannot be made. */
export class InvalidApiKey extends Schema.TaggedError<InvalidApiKey>()("InvalidApiKey", { reason: Schema.String }) {
  override get message() {
    return `The API key cannot be used: ${this.reason}`
  }
}

/** The keys of the ledger. */
export class ApiKeys extends Context.Service<
  ApiKeys,
  {
    /** Finds out who sent a request by its headers. Never throws: a failing database refuses too. */
    readonly authenticate: (headers: KeyHeaders) => Authentication
    /** Makes a key, and its tenant if need be. A key that exists already keeps its id and gets the new permissions. */
    readonly create: (options: CreateKeyOptions) => Effect.Effect<CreatedKey, InvalidApiKey>
    /** Ends a key at once. Answers whether there was such a key. */
    readonly revoke: (keyId: string) => Effect.Effect<boolean>
    /** All keys, oldest first, ended ones included. */
    readonly list: Effect.Effect<ReadonlyArray<KnownKey>>
    /** Changes whether the keys of a tenant are accepted. */
    readonly setTenantStatus: (tenant: string, status: TenantStatus) => Effect.Effect<void>
  }
>()("xase-sdk/ApiKeys") {}

/** Whether a tenant may use the ledger. */
export type TenantStatus = "ACTIVE" | "SUSPENDED" | "CANCELLED"

/** The headers of a request, by lower-case name. */
export type KeyHeaders = Readonly<Record<string, string | undefined>>

/** The tenant of a ledger that serves one application. */
export const defaultTenant = "local"

const format = /^xase_(pk_)?[A-Za-z0-9_-]{24,128}$/
const prefixLength = 16

/** Whether a text has the form of an API key. */
export const isApiKey = (text: string): boolean => format.test(text)

/** The key in the headers of a request: `X-API-Key` wins, even if it is bad. */
export const keyOf = (headers: KeyHeaders): string | undefined => {
  const own = headers["x-api-key"]
  if (own !== undefined && own !== "") return own
  const bearer = headers.authorization
  return bearer?.startsWith("Bearer ") === true ? bearer.slice("Bearer ".length) : undefined
}

const refused = (error: string): Authentication => ({ _tag: "Refused", error })

const hashKey = (apiKey: string): Buffer => hash("sha256", apiKey, "buffer")

const generateKey = (): string => `xase_pk_${randomBytes(24).toString("hex")}`

const find = `SELECT k.id, k.key_hash, k.permissions, k.rate_limit, k.tenant_id, t.status
  FROM api_keys k JOIN tenants t ON t.id = k.tenant_id WHERE k.key_hash = ? AND k.is_active = 1`

const upsertKey = `INSERT INTO api_keys (id, tenant_id, name, prefix, key_hash, permissions, rate_limit, created_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (key_hash) DO UPDATE SET permissions = excluded.permissions, rate_limit = excluded.rate_limit,
    name = excluded.name, is_active = 1
  RETURNING id, tenant_id`

const deactivate = "UPDATE api_keys SET is_active = 0 WHERE id = ? AND is_active = 1"

const selectAll = "SELECT * FROM api_keys ORDER BY created_at, id"

const toKnownKey = (row: Row): KnownKey => ({
  id: String(row.id),
  prefix: String(row.prefix),
  name: String(row.name),
  tenant: String(row.tenant_id),
  permissions: String(row.permissions).split(","),
  isActive: row.is_active === 1,
  createdAt: Number(row.created_at)
})

const toCaller = (row: Row): Caller => ({
  keyId: String(row.id),
  tenantId: String(row.tenant_id),
  permissions: new Set(String(row.permissions).split(",")),
  rateLimit: typeof row.rate_limit === "number" ? row.rate_limit : null
})

const hasHash = (row: Row, expected: Buffer): boolean => {
  const stored = row.key_hash
  return stored instanceof Uint8Array && stored.length === expected.length && timingSafeEqual(stored, expected)
}

/** How long what is known of a key is believed, in milliseconds, and of how many keys. */
const beliefLifetime = 1000
const maxBeliefs = 1000

/** Keys in the ledger's database. */
export const layer: Layer.Layer<ApiKeys, never, NodeSqlite> = Layer.effect(
  ApiKeys,
  Effect.gen(function* () {
    const sqlite = yield* NodeSqlite

    const beliefs = new Map<string, { readonly authentication: Authentication; readonly until: number }>()

    const lookUp = (keyHash: Buffer): Authentication => {
      const row = sqlite.get(find, keyHash)
      if (row === undefined || !hasHash(row, keyHash)) return refused("Invalid API key")
      if (row.status !== "ACTIVE") return refused("Tenant suspended or cancelled")
      return { _tag: "Known", caller: toCaller(row) }
    }

    const authenticate = (headers: KeyHeaders): Authentication => {
      const apiKey = keyOf(headers)
      if (apiKey === undefined) return refused("Missing X-API-Key or Authorization header")
      if (!isApiKey(apiKey)) return refused("Invalid API key format")
      const keyHash = hashKey(apiKey)
      const name = keyHash.toString("latin1")
      const now = performance.now()
      const believed = beliefs.get(name)
      if (believed !== undefined && believed.until > now) return believed.authentication
      try {
        const authentication = lookUp(keyHash)
        if (beliefs.size >= maxBeliefs) beliefs.clear()
        beliefs.set(name, { authentication, until: now + beliefLifetime })
        return authentication
      } catch {
        return refused("Authentication error")
      }
    }

    const change = <A>(body: () => A): A => {
      beliefs.clear()
      return sqlite.transaction(body)
    }

    const create = Effect.fnUntraced(function* (options: CreateKeyOptions) {
      const apiKey = options.apiKey ?? generateKey()
      if (!isApiKey(apiKey)) {
        return yield* new InvalidApiKey({ reason: "it must be xase_pk_ and 24 to 128 letters, digits, - or _" })
      }
      const granted = options.permissions ?? permissions
      const name = options.name ?? "default"
      const tenant = options.tenant ?? defaultTenant
      const now = yield* Clock.currentTimeMillis
      const row = change(() => {
        sqlite.run("INSERT INTO tenants (id, name) VALUES (?, ?) ON CONFLICT DO NOTHING", tenant, tenant)
        return sqlite.get(
          upsertKey,
          `key_${randomBytes(8).toString("hex")}`,
          tenant,
          name,
          apiKey.slice(0, prefixLength),
          hashKey(apiKey),
          granted.join(","),
          options.rateLimit ?? null,
          now
        )
      })
      if (row?.tenant_id !== tenant) {
        return yield* new InvalidApiKey({ reason: `it already belongs to the tenant ${String(row?.tenant_id)}` })
      }
      return { id: String(row.id), apiKey, name, tenant, permissions: granted }
    })

    return {
      authenticate,
      create,
      list: Effect.sync(() => sqlite.all(selectAll).map(toKnownKey)),
      revoke: (keyId) => Effect.sync(() => change(() => sqlite.run(deactivate, keyId) > 0)),
      setTenantStatus: (tenant, status) =>
        Effect.sync(() => change(() => void sqlite.run("UPDATE tenants SET status = ? WHERE id = ?", status, tenant)))
    }
  })
)
