/**
 * The folder in which a ledger keeps its database and its secrets, readable by its owner only.
 */
import { randomBytes } from "node:crypto"
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { LedgerStartFailed } from "../LedgerSettings.ts"

/** What a ledger keeps beside its database, and where that is. */
export interface LedgerFiles {
  /** The database: a path, or `:memory:`. */
  readonly database: string
  /** The key of the seals. */
  readonly sealKey: Uint8Array
  /** Where the key that signs exports is; absent: in memory. */
  readonly signingKey: string | undefined
}

const secretBytes = 32

/** Opens the folder, makes what is missing. Without a folder all is in memory. */
export const open = (folder: string | undefined): Effect.Effect<LedgerFiles, LedgerStartFailed> =>
  folder === undefined
    ? Effect.sync(() => ({ database: ":memory:", sealKey: randomBytes(secretBytes), signingKey: undefined }))
    : Effect.try({
        try: () => {
          mkdirSync(folder, { recursive: true, mode: 0o700 })
          return {
            database: databaseIn(folder),
            sealKey: secret(join(folder, "seal.key")),
            signingKey: join(folder, "signing-key.pem")
          }
        },
        catch: (cause) =>
          new LedgerStartFailed({
            reason: "DataFolder",
            detail: `the data folder ${folder} cannot be used (${cause instanceof Error ? cause.message : String(cause)})`,
            cause
          })
      })

/** SQLite gives its side files the permissions of the database: it has to exist before it is opened. */
const databaseIn = (folder: string): string => {
  const path = join(folder, "ledger.db")
  writeFileSync(path, "", { flag: "a", mode: 0o600 })
  chmodSync(path, 0o600)
  return path
}

const secret = (path: string): Uint8Array => {
  if (!existsSync(path)) writeFileSync(path, randomBytes(secretBytes), { flag: "wx", mode: 0o600 })
  const found = readFileSync(path)
  if (found.length !== secretBytes) throw new Error(`${path} must hold ${secretBytes} bytes, not ${found.length}`)
  return found
}
