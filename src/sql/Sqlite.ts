/**
 * SQLite through Node's built-in driver, without effects: statements are prepared once and run at once, and a transaction is
 * one synchronous function. What happens inside it is alone in this process because nothing else runs meanwhile, and alone
 * in the file because it begins with a write lock.
 *
 * The file lives in write-ahead mode with `synchronous = NORMAL`: a killed process loses nothing that it wrote, a power cut
 * may lose the last moments before it.
 */
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite"

/** A row as the driver returns it. */
export type Row = Record<string, SQLOutputValue>

/** A SQLite connection as a few synchronous functions. Each may throw what SQLite throws. */
export interface Sqlite {
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

/** Prepares a statement, or gives the one that was prepared before. */
export type Statements = (sql: string) => StatementSync

const connect = (filename: string): DatabaseSync => {
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

/** So many statements are kept. Libraries write values into their statements, and of those each is used once. */
const maxStatements = 128

const cachedStatements = (database: DatabaseSync): Statements => {
  // In the order of their last use.
  const prepared = new Map<string, StatementSync>()
  return (sql) => {
    const known = prepared.get(sql)
    if (known !== undefined) prepared.delete(sql)
    const statement = known ?? database.prepare(sql)
    prepared.set(sql, statement)
    if (prepared.size > maxStatements) {
      for (const oldest of prepared.keys()) {
        prepared.delete(oldest)
        break
      }
    }
    return statement
  }
}

const makeSqlite = (database: DatabaseSync, statement: Statements): Sqlite => ({
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

/** An open database, seen as the driver shows it and as {@link Sqlite}. */
export interface OpenDatabase {
  readonly database: DatabaseSync
  readonly statement: Statements
  readonly sqlite: Sqlite
}

/**
 * Opens a database; throws what SQLite throws.
 *
 * @param filename a path, or `:memory:`.
 */
export const open = (filename: string): OpenDatabase => {
  const database = connect(filename)
  const statement = cachedStatements(database)
  return { database, statement, sqlite: makeSqlite(database, statement) }
}
