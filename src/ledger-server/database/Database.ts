/**
 * The database of a ledger, with the newest form of its tables.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type { SqlClient } from "effect/sql/SqlClient"
import * as NodeSqlite from "../../sql/NodeSqlite.ts"
import { LedgerStartFailed } from "../LedgerSettings.ts"
import * as Migrations from "./Migrations.ts"

/** What the innermost cause of an error says. */
export const rootMessage = (error: unknown): string => {
  if (Predicate.hasProperty(error, "cause") && error.cause !== undefined) return rootMessage(error.cause)
  return error instanceof Error ? error.message : String(error)
}

const failed = (cause: unknown) =>
  new LedgerStartFailed({
    reason: "Database",
    detail: `the database cannot be used (${rootMessage(cause)})`,
    cause
  })

/** Opens the database of a file, or `:memory:`, and brings its tables up to date. */
export const layer = (filename: string): Layer.Layer<NodeSqlite.NodeSqlite | SqlClient, LedgerStartFailed> =>
  Layer.effectDiscard(Migrations.run).pipe(
    Layer.provideMerge(NodeSqlite.layer(filename)),
    Layer.catchCause((cause) => Layer.effectContext(Effect.fail(failed(cause))))
  )
