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

/** A place among the processes that use a database at this moment. */
export interface Membership {
  /** Whether nobody else was using it; until {@link Membership.settle}, nobody else can begin to. */
  readonly isFirst: boolean
  /** Lets others in; answers false, with the place lost, when another process took the database for itself meanwhile. */
  readonly settle: () => boolean
  readonly release: () => void
}

/** Enters the database as one of those who use it; `undefined` while another process has it for itself. */
export const join = (path: string): Membership | undefined => {
  const lockPath = `${path}.lock`
  prepare(lockPath)
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite")
  const enter = (begin: string) => {
    const database = new DatabaseSync(lockPath, { timeout: 0 })
    try {
      database.exec(begin)
      return database
    } catch {
      database.close()
      return undefined
    }
  }
  // Reading within a transaction keeps a shared lock, which the system takes away when the process dies.
  const among = "BEGIN; SELECT count(*) FROM sqlite_schema"
  const first = enter("BEGIN EXCLUSIVE")
  let current = first ?? enter(among)
  if (current === undefined) return undefined
  const release = () => {
    current?.close()
    current = undefined
  }
  return {
    isFirst: first !== undefined,
    settle: () => {
      if (first === undefined) return true
      release()
      current = enter(among)
      return current !== undefined
    },
    release
  }
}
