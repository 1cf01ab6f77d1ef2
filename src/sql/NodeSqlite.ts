/**
 * SQLite through Node's built-in driver as Effect knows databases: one connection, seen in two ways.
 *
 * `SqlClient` is what everybody knows: effects, transactions over several of them, migrations. `NodeSqlite` is the same
 * connection without effects, see `Sqlite`. No `SqlClient` transaction may be open while `Sqlite.transaction` runs: they
 * share the connection. The ledger uses the former only for its migrations, before it takes its first request.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import * as SqlError from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import { open, type Row, type Sqlite, type Statements } from "./Sqlite.ts"

/** The connection without effects, as a service. */
export class NodeSqlite extends Context.Service<NodeSqlite, Sqlite>()("xase-sdk/NodeSqlite") {}

/**
 * Opens the database and provides it as `NodeSqlite` and as `SqlClient`.
 *
 * @param filename a path, or `:memory:`.
 */
export const layer = (filename: string): Layer.Layer<NodeSqlite | SqlClient.SqlClient, SqlError.SqlError> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const { database, sqlite, statement } = yield* Effect.acquireRelease(
        attempt("open", () => open(filename)),
        (opened) => Effect.sync(() => opened.database.close())
      )
      const client = yield* makeClient(database, statement)
      return Context.make(NodeSqlite, sqlite).pipe(Context.add(SqlClient.SqlClient, client))
    })
  ).pipe(Layer.provide(Reactivity.layer))

const makeClient = Effect.fnUntraced(function* (database: DatabaseSync, statement: Statements) {
  const connection: Connection = {
    execute: (sql, parameters, transformRows) =>
      attempt("execute", () => {
        const rows = query(statement(sql), parameters)
        return transformRows === undefined ? rows : transformRows(rows)
      }),
    executeUnprepared: (sql, parameters, transformRows) =>
      attempt("execute", () => {
        const rows = query(database.prepare(sql), parameters)
        return transformRows === undefined ? rows : transformRows(rows)
      }),
    executeRaw: (sql, parameters) => attempt("execute", () => statement(sql).run(...parameters.map(toInput))),
    executeValues: (sql, parameters) => attempt("execute", () => query(statement(sql), parameters).map(Object.values)),
    executeValuesUnprepared: (sql, parameters) =>
      attempt("execute", () => query(database.prepare(sql), parameters).map(Object.values)),
    executeStream: (sql, parameters) =>
      Stream.unwrap(
        Effect.map(
          attempt("execute", () => query(statement(sql), parameters)),
          Stream.fromIterable
        )
      )
  }
  return yield* SqlClient.make({
    driver: "node:sqlite",
    compiler: Statement.makeCompilerSqlite(),
    spanAttributes: [["db.system.name", "sqlite"]],
    // A transaction that begins with reading cannot wait for another writer any more when it comes to write.
    beginTransaction: "BEGIN IMMEDIATE",
    ...SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore: yield* Semaphore.make(1),
      isTransaction: () => database.isTransaction
    })
  })
})

const query = (statement: StatementSync, parameters: ReadonlyArray<unknown>): ReadonlyArray<Row> => {
  const input = parameters.map(toInput)
  if (statement.columns().length > 0) return statement.all(...input)
  statement.run(...input)
  return []
}

const toInput = (value: unknown): SQLInputValue => {
  if (value === null || value === undefined) return null
  if (typeof value === "boolean") return value ? 1 : 0
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") return value
  if (value instanceof Uint8Array) return value
  if (value instanceof Date) return value.toISOString()
  throw new TypeError(`SQLite cannot store a value of type ${typeof value}`)
}

const attempt = <A>(operation: string, body: () => A): Effect.Effect<A, SqlError.SqlError> =>
  Effect.try({ try: body, catch: (cause) => toSqlError(cause, operation) })

const toSqlError = (cause: unknown, operation: string): SqlError.SqlError => {
  const message = cause instanceof Error ? cause.message : String(cause)
  const errno = Predicate.hasProperty(cause, "errcode") ? cause.errcode : undefined
  return new SqlError.SqlError({
    reason: SqlError.classifySqliteError(Object.assign(new Error(message, { cause }), { errno }), { operation })
  })
}
