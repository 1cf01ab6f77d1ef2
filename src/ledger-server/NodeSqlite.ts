/**
 * SQLite through Node's built-in driver: one connection, seen in two ways.
 *
 * `SqlClient` is what everybody knows: effects, transactions over several of them, migrations. `NodeSqlite` is the same
 * connection without effects: statements are prepared once and run at once, and a transaction is one synchronous
 * function. What happens inside it is alone in this process because nothing else runs meanwhile, and alone in the file
 * because it begins with a write lock. The append path of the ledger is written that way.
 *
 * No `SqlClient` transaction may be open while `NodeSqlite.transaction` runs: they share the connection. The ledger uses
 * the former only for its migrations, before it takes its first request.
 *
 * The file lives in write-ahead mode with `synchronous = NORMAL`: a killed process loses nothing that it answered, a
 * power cut may lose the last moments before it.
 */
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite"
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

/** A row as the driver returns it. */
export type Row = Record<string, SQLOutputValue>

/** The connection without effects. Every function may throw what SQLite throws. */
export interface Service {
  /** Runs a statement for its effect and answers how many rows it changed. */
  readonly run: (sql: string, ...parameters: ReadonlyArray<SQLInputValue>) => number
  /** The first row, if there is one. */
  readonly get: (sql: string, ...parameters: ReadonlyArray<SQLInputValue>) => Row | undefined
  /** All rows. */
  readonly all: (sql: string, ...parameters: ReadonlyArray<SQLInputValue>) => ReadonlyArray<Row>
  /** Runs several statements that take no parameters. */
  readonly script: (sql: string) => void
  /** Runs a synchronous function under a write lock: committed when it returns, rolled back when it throws. */
  readonly transaction: <A>(body: () => A) => A
}

/** The connection without effects, as a service. */
export class NodeSqlite extends Context.Service<NodeSqlite, Service>()("xase-sdk/NodeSqlite") {}

/**
 * Opens the database and provides it as `NodeSqlite` and as `SqlClient`.
 *
 * @param filename a path, or `:memory:`.
 */
export const layer = (filename: string): Layer.Layer<NodeSqlite | SqlClient.SqlClient, SqlError.SqlError> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const database = yield* Effect.acquireRelease(
        attempt("open", () => open(filename)),
        (opened) => Effect.sync(() => opened.close())
      )
      const statement = cachedStatements(database)
      const client = yield* makeClient(database, statement)
      return Context.make(NodeSqlite, makeService(database, statement)).pipe(Context.add(SqlClient.SqlClient, client))
    })
  ).pipe(Layer.provide(Reactivity.layer))

type Statements = (sql: string) => StatementSync

const open = (filename: string): DatabaseSync => {
  // Loaded here and not with the module: Node 22 warns of an experimental feature when it loads the driver.
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite")
  const database = new DatabaseSync(filename, { timeout: 5000 })
  try {
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON")
    database.exec("PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY")
    return database
  } catch (cause) {
    database.close()
    throw cause
  }
}

const cachedStatements = (database: DatabaseSync): Statements => {
  const prepared = new Map<string, StatementSync>()
  return (sql) => {
    const known = prepared.get(sql)
    if (known !== undefined) return known
    const fresh = database.prepare(sql)
    prepared.set(sql, fresh)
    return fresh
  }
}

const makeService = (database: DatabaseSync, statement: Statements): Service => ({
  run: (sql, ...parameters) => Number(statement(sql).run(...parameters).changes),
  get: (sql, ...parameters) => statement(sql).get(...parameters),
  all: (sql, ...parameters) => statement(sql).all(...parameters),
  script: (sql) => database.exec(sql),
  transaction: (body) => {
    statement("BEGIN IMMEDIATE").run()
    try {
      const result = body()
      statement("COMMIT").run()
      return result
    } catch (cause) {
      if (database.isTransaction) statement("ROLLBACK").run()
      throw cause
    }
  }
})

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
