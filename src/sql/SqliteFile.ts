/**
 * The files of a SQLite database: readable by their owner alone, and known to belong to a living process.
 */

/**
 * Makes the file if there is none. SQLite gives its side files the permissions of the database, so it has to exist, with
 * its own, before it is opened.
 */
export const prepare = (path: string): void =>
  process.getBuiltinModule("node:fs").writeFileSync(path, "", { flag: "a", mode: 0o600 })

/** Whether this process is the one that the database belongs to. */
export interface Ownership {
  readonly isOwner: boolean
  readonly release: () => void
}

/** Nobody else can have the database. */
export const alone: Ownership = { isOwner: true, release: () => {} }

/** The database belongs to another process, or is only looked at. */
export const among: Ownership = { isOwner: false, release: () => {} }

/** Takes the database if nobody has it; the system lets go of it when a process dies, however it dies. */
export const own = (path: string): Ownership => {
  const lockPath = `${path}.lock`
  prepare(lockPath)
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite")
  const database = new DatabaseSync(lockPath, { timeout: 0 })
  try {
    database.exec("BEGIN EXCLUSIVE")
    return { isOwner: true, release: () => database.close() }
  } catch {
    database.close()
    return among
  }
}
