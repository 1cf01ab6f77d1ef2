/**
 * An outbox in a SQLite file: no server, one machine, readable by its owner alone.
 *
 * A process that opens the file while no other uses it gives back what dead ones held, so records that were in flight come
 * first again. While others live their claims are theirs, and those of the dead run out with the lease.
 * A file that is damaged is put aside under another name, what can still be read in it is taken over, and a new one begun.
 */
import { existsSync, renameSync, statSync } from "node:fs"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { PreventSchedulerYield } from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import type { DurableSettings } from "../settings/OutboxSettings.ts"
import * as NodeSqlite from "../sql/NodeSqlite.ts"
import { open as openDatabase, type Row, type Sqlite } from "../sql/Sqlite.ts"
import * as SqliteFile from "../sql/SqliteFile.ts"
import type { OutboxUnavailable } from "../XaseError.ts"
import type { OutboxStore } from "./OutboxEngine.ts"
import * as SqlCare from "./SqlAdmin.ts"
import { causesOf, unavailable } from "./Unavailable.ts"

/** Larger files are not checked at each start but by `xase outbox doctor`: a start is to take less than two seconds. */
const checkedBytes = 64 * 1024 * 1024

/** How soon another process of the same file notices a new record. */
const pollInterval = Duration.millis(250)

const sideFiles = ["-wal", "-shm"]

/** What a look into the file says is wrong with it; `undefined` when nothing is. */
const damageOf = (path: string): string | undefined => {
  try {
    const { database, sqlite } = openDatabase(path)
    try {
      const isSmall = statSync(path).size <= checkedBytes
      const answer = isSmall ? sqlite.get("PRAGMA quick_check(1)") : sqlite.get("SELECT count(*) FROM sqlite_schema")
      const first = Object.values(answer ?? {})[0]
      return isSmall && first !== "ok" ? String(first) : undefined
    } finally {
      database.close()
    }
  } catch (cause) {
    if (isDamage(cause)) return cause instanceof Error ? cause.message : String(cause)
    throw cause
  }
}

/** SQLite's CORRUPT and NOTADB. */
const isDamage = (cause: unknown): boolean =>
  cause instanceof Error && "errcode" in cause && [11, 26].includes(Number(cause.errcode) & 0xff)

/** What can be read of a damaged file, from both ends towards the damage. */
function* readable(path: string): Generator<Row> {
  const seen = new Set<unknown>()
  for (const order of ["ASC", "DESC"]) {
    try {
      const { database } = openDatabase(path)
      try {
        const rows = database
          .prepare(
            `SELECT sequence, id, queue_name, element, created_at FROM ${SqlCare.table} WHERE state = 'pending' ORDER BY sequence ${order}`
          )
          .iterate()
        for (const row of rows) {
          if (seen.has(row.sequence)) break
          seen.add(row.sequence)
          yield row
        }
      } finally {
        database.close()
      }
    } catch {
      // As far as it could be read.
    }
  }
}

/** Puts a damaged file aside and answers where it is now. */
const putAside = (path: string): string => {
  const aside = `${path}.damaged-${new Date().toISOString().replace(/[:.]/g, "-")}`
  for (const suffix of ["", ...sideFiles]) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix)
  }
  return aside
}

/** A file that was put aside, and why. */
interface Damaged {
  readonly aside: string
  readonly damage: string
}

interface Found {
  readonly member: SqliteFile.Membership
  readonly damaged: Damaged | undefined
}

/** Who only looks is nobody to the others. */
const onlooker: SqliteFile.Membership = { isFirst: false, settle: () => true, release: () => {} }

/** Makes the file ready to be opened, `undefined` while another process does; throws what the system throws. */
const prepare = (path: string, isLooking: boolean): Found | undefined => {
  if (isLooking) return { member: onlooker, damaged: undefined }
  SqliteFile.prepare(path)
  const member = SqliteFile.join(path)
  if (member === undefined) return undefined
  try {
    // Whoever is not the first leaves a damaged file to the one who is.
    const damage = member.isFirst ? damageOf(path) : undefined
    if (damage === undefined) return { member, damaged: undefined }
    const aside = putAside(path)
    SqliteFile.prepare(path)
    return { member, damaged: { aside, damage } }
  } catch (cause) {
    member.release()
    throw cause
  }
}

const busy = new Error("another process is preparing the file")

/** Asks again, without standing in anybody's way, while another process prepares the file. */
const untilFree = <A>(ask: () => A | undefined): Effect.Effect<A, unknown> =>
  Effect.flatMap(Effect.try({ try: ask, catch: (cause) => cause }), (found) =>
    found === undefined ? Effect.fail(busy) : Effect.succeed(found)
  ).pipe(Effect.retry({ while: (cause) => cause === busy, schedule: Schedule.spaced("20 millis"), times: 200 }))

/** Takes over what can be read of a damaged file, each record in its place, and answers how many those are. */
const salvage = (sqlite: Sqlite, aside: string): number =>
  sqlite.transaction(() => {
    let count = 0
    for (const { created_at, element, id, queue_name, sequence } of readable(aside)) {
      count += sqlite.run(
        `INSERT OR IGNORE INTO ${SqlCare.table} (sequence, id, queue_name, element, state, attempts, visible_at, created_at, updated_at)
         VALUES (?, ?, ?, ?, 'pending', 0, ?, ?, ?)`,
        ...[sequence, id, queue_name, element, created_at, created_at, created_at].map((value) => value ?? null)
      )
    }
    return count
  })

const open = Effect.fnUntraced(function* (settings: DurableSettings, isLooking: boolean) {
  const path = Redacted.value(settings.location)
  const { damaged, member } = yield* Effect.acquireRelease(
    untilFree(() => prepare(path, isLooking)),
    (found) => Effect.sync(found.member.release)
  )
  const scope = yield* Scope.Scope
  const database = yield* Layer.buildWithScope(NodeSqlite.layer(path), scope)
  const { sql, sqlite } = yield* Effect.provideContext(
    Effect.all({ sql: SqlClient, sqlite: NodeSqlite.NodeSqlite }),
    database
  )
  const queues = yield* PersistedQueue.makeStoreSql({
    tableName: SqlCare.table,
    pollInterval,
    lockExpiration: settings.lease,
    lockRefreshInterval: Duration.divideUnsafe(settings.lease, 3)
  }).pipe(Effect.provideContext(database))
  const report = yield* Effect.try({
    try: () => {
      sqlite.script(SqlCare.indexes.join(";"))
      if (!member.isFirst) return undefined
      sqlite.run(`UPDATE ${SqlCare.table} SET acquired_at = NULL, acquired_by = NULL WHERE acquired_at IS NOT NULL`)
      if (damaged === undefined) return undefined
      const { aside, damage } = damaged
      return `the outbox ${path} is damaged (${damage}); it was put aside as ${aside}, ${salvage(sqlite, aside)} records could be read and are kept`
    },
    catch: (cause) => cause
  })
  yield* untilFree(() => (member.settle() ? true : undefined))
  // Only what is accepted has to be on the disk: a claim or a completion that a power cut takes back is done again, with
  // the same idempotency key.
  const synchronous = (level: "FULL" | "NORMAL") => Effect.sync(() => sqlite.script(`PRAGMA synchronous = ${level}`))
  // In one go: another connection of this process that waits for the lock blocks everything, the holder of the lock too.
  const inTransaction = <A, E>(offers: Effect.Effect<A, E>) =>
    Effect.provideService(sql.withTransaction(offers), PreventSchedulerYield, true)
  const store: OutboxStore = {
    queues,
    together:
      settings.durability === "os"
        ? inTransaction
        : (offers) =>
            Effect.ensuring(Effect.andThen(synchronous("FULL"), inTransaction(offers)), synchronous("NORMAL")),
    care: SqlCare.make(sql, "sqlite", {
      check: Effect.mapError(
        Effect.map(sql<Record<string, string>>`PRAGMA integrity_check(20)`, (rows) =>
          rows.flatMap(Object.values<string>).filter((line) => line !== "ok")
        ),
        unavailable("sqlite")
      ),
      compact: Effect.try({
        try: () => sqlite.script("PRAGMA wal_checkpoint(TRUNCATE); VACUUM"),
        catch: unavailable("sqlite")
      })
    }),
    counter: undefined,
    isDamage: (failure) => causesOf(failure).some(isDamage),
    isAmbiguous: false,
    report
  }
  return store
})

/** Opens the outbox of these settings; who is only looking gives nothing back and puts nothing aside. */
export const make = (
  settings: DurableSettings,
  isLooking: boolean
): Effect.Effect<OutboxStore, OutboxUnavailable, Scope.Scope> =>
  Effect.catchCause(open(settings, isLooking), (cause) => Effect.fail(unavailable("sqlite")(cause)))
