/**
 * An outbox in a Postgres database: many machines, and records that live where the application's data lives.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import type { DurableSettings } from "../settings/OutboxSettings.ts"
import type { OutboxUnavailable } from "../XaseError.ts"
import { loadPeer } from "./LoadPeer.ts"
import type { OutboxStore } from "./OutboxEngine.ts"
import { loadDriver } from "./PostgresDriver.ts"
import * as SqlCare from "./SqlAdmin.ts"
import { unavailable } from "./Unavailable.ts"

/** How soon a worker of another process notices a new record. */
const pollInterval = Duration.millis(250)

const maxConnections = 4

/** Any number that others hardly take for theirs. */
const setupLock = 0x58415345

/**
 * One process at a time: `CREATE TABLE IF NOT EXISTS` fails where two meet. The lock ends with its transaction, also when
 * the process dies, and behind a pool of transactions.
 */
const alone = <A, E, R>(sql: SqlClient, setup: Effect.Effect<A, E, R>) =>
  Effect.scopedWith((scope) =>
    Effect.flatMap(Scope.provide(sql.reserve, scope), (connection) =>
      Effect.acquireUseRelease(
        connection.executeRaw("BEGIN", []),
        () => Effect.andThen(connection.executeRaw(`SELECT pg_advisory_xact_lock(${setupLock})`, []), setup),
        () => connection.executeRaw("COMMIT", [])
      )
    )
  )

const open = Effect.fnUntraced(function* (settings: DurableSettings) {
  const PgClient = yield* loadPeer("postgres", "@effect/sql-pg", loadDriver)
  const scope = yield* Scope.Scope
  const database = yield* Layer.buildWithScope(
    PgClient.layer({ url: settings.location, maxConnections, applicationName: "xase-sdk" }),
    scope
  )
  const sql = yield* Effect.provideContext(SqlClient, database)
  const setup = PersistedQueue.makeStoreSql({
    tableName: SqlCare.table,
    pollInterval,
    lockExpiration: settings.lease,
    lockRefreshInterval: Duration.divideUnsafe(settings.lease, 3)
  }).pipe(
    Effect.provideContext(database),
    Effect.tap(() => Effect.forEach(SqlCare.indexes, (index) => sql.unsafe(index), { discard: true }))
  )
  const queues = yield* alone(sql, setup)
  const store: OutboxStore = {
    queues,
    together: sql.withTransaction,
    care: SqlCare.make(sql, "postgres", {
      // Postgres checks its pages and gives space back by itself.
      check: Effect.succeed([]),
      compact: Effect.void
    }),
    counter: undefined,
    isDamage: () => false,
    isAmbiguous: true,
    report: undefined
  }
  return store
})

/** Opens the outbox of these settings. */
export const make = (settings: DurableSettings): Effect.Effect<OutboxStore, OutboxUnavailable, Scope.Scope> =>
  Effect.catchCause(open(settings), (cause) => Effect.fail(unavailable("postgres")(cause)))
