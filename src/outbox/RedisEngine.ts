/**
 * An outbox in Redis: many machines, one short way to it, and a count of requests that all of them share.
 *
 * A record that is given back, by a worker that closes or one that died, goes to the end of the list: that is how Effect's
 * persisted queue works on Redis. The producers' chains tell the true order.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { Redis } from "effect/persistence/Redis"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type { DurableSettings } from "../settings/OutboxSettings.ts"
import type { OutboxUnavailable } from "../XaseError.ts"
import { loadPeer } from "./LoadPeer.ts"
import {
  type Care,
  deadLettersQueue,
  type ElementPage,
  type ElementState,
  type OutboxStore,
  recordsQueue,
  type StoredElement
} from "./OutboxEngine.ts"
import { fromLimiter } from "./RequestCounters.ts"
import { unavailable } from "./Unavailable.ts"

const prefix = "xase:outbox:"

/** How soon a worker of another process notices a new record. */
const pollInterval = Duration.millis(100)

const connectTimeout = Duration.seconds(5)

const parsed = (text: string): { readonly id?: unknown; readonly element?: unknown; readonly attempts?: unknown } => {
  try {
    const value: unknown = JSON.parse(text)
    return Predicate.isObject(value) ? value : {}
  } catch {
    return {}
  }
}

/** Looking after the lists and hashes of the persisted queue, which has no operations for it. */
const makeCare = (redis: Redis["Service"]): Care => {
  const records = `${prefix}${recordsQueue}`
  const lists: { readonly [State in Exclude<ElementState, "in flight">]: string } = {
    waiting: records,
    dead: `${prefix}${deadLettersQueue}`,
    unreadable: `${records}:failed`
  }
  const pending = `${records}:pending`
  const delayed = `${records}:delayed`

  const failing = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, OutboxUnavailable> =>
    Effect.mapError(effect, unavailable("redis"))

  const elementIn =
    (state: ElementState) =>
    (payload: string): StoredElement => {
      const { attempts, element } = parsed(payload)
      return { handle: payload, state, attempts: Number(attempts ?? 0), element }
    }

  const fromList = (
    state: Exclude<ElementState, "in flight">,
    from: string | undefined,
    limit: number
  ): Effect.Effect<ElementPage, unknown> => {
    const start = Number(from ?? 0)
    return Effect.map(
      redis.send<ReadonlyArray<string>>("LRANGE", lists[state], String(start), String(start + limit - 1)),
      (payloads) => ({
        elements: payloads.map(elementIn(state)),
        next: payloads.length < limit ? undefined : String(start + limit)
      })
    )
  }

  const inFlight = (from: string | undefined, limit: number): Effect.Effect<ElementPage, unknown> =>
    Effect.map(
      redis.send<readonly [cursor: string, pairs: ReadonlyArray<string>]>(
        "HSCAN",
        pending,
        from ?? "0",
        "COUNT",
        String(limit)
      ),
      ([cursor, pairs]) => ({
        elements: pairs.filter((_, index) => index % 2 === 1).map(elementIn("in flight")),
        next: cursor === "0" ? undefined : cursor
      })
    )

  return {
    counts: failing(
      Effect.map(
        Effect.all([
          redis.send<number>("LLEN", lists.waiting),
          redis.send<number>("ZCARD", delayed),
          redis.send<number>("HLEN", pending),
          redis.send<number>("LLEN", lists.dead),
          redis.send<number>("LLEN", lists.unreadable)
        ]),
        ([waiting, later, held, dead, unreadable]) => ({
          waiting: Number(waiting) + Number(later),
          "in flight": Number(held),
          dead: Number(dead),
          unreadable: Number(unreadable)
        })
      )
    ),
    page: (state, from, limit) => failing(state === "in flight" ? inFlight(from, limit) : fromList(state, from, limit)),
    oldest: failing(
      Effect.map(Effect.all([fromList("waiting", undefined, 1), inFlight(undefined, 1_000)]), (pages) =>
        pages.flatMap(({ elements }) => elements)
      )
    ),
    remove: (elements) =>
      failing(
        Effect.forEach(
          elements,
          ({ handle, state }) => (state === "in flight" ? Effect.void : redis.send("LREM", lists[state], "1", handle)),
          { discard: true }
        )
      ),
    check: Effect.succeed([]),
    compact: Effect.void
  }
}

const open = Effect.fnUntraced(function* (settings: DurableSettings) {
  const NodeRedis = yield* loadPeer("redis", "redis", () => import("@effect/platform-node/NodeRedis"))
  const scope = yield* Scope.Scope
  const connection = yield* Layer.buildWithScope(
    NodeRedis.layer({
      url: Redacted.value(settings.location),
      socket: { connectTimeout: Duration.toMillis(connectTimeout) },
      // A command that cannot be sent fails at once: `record` says so rather than wait for a server that is away.
      disableOfflineQueue: true
    }),
    scope
  )
  const redis = yield* Effect.provideContext(Redis, connection)
  const { client } = yield* Effect.provideContext(NodeRedis.NodeRedis, connection)
  // Background delivery must not hold up the end of its host.
  client.unref()
  const queues = yield* PersistedQueue.makeStoreRedis({
    prefix,
    pollInterval,
    lockExpiration: settings.lease,
    lockRefreshInterval: Duration.divideUnsafe(settings.lease, 3)
  }).pipe(Effect.provideContext(connection))
  const limits = yield* RateLimiter.makeStoreRedis({ prefix: "xase:rate-limit:" }).pipe(
    Effect.provideContext(connection)
  )
  const limiter = yield* Effect.provideService(RateLimiter.make, RateLimiter.RateLimiterStore, limits)
  const store: OutboxStore = {
    queues,
    together: undefined,
    care: makeCare(redis),
    counter: fromLimiter(limiter, "redis"),
    isDamage: () => false,
    isAmbiguous: true,
    report: undefined
  }
  return store
})

/** Opens the outbox of these settings. */
export const make = (settings: DurableSettings): Effect.Effect<OutboxStore, OutboxUnavailable, Scope.Scope> =>
  Effect.catchCause(open(settings), (cause) => Effect.fail(unavailable("redis")(cause)))
