/**
 * Looking after an outbox in a SQL database. Knows the table of Effect's persisted queue, which has no operations for it.
 */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import type { OutboxUnavailable } from "../XaseError.ts"
import { type Care, deadLettersQueue, type ElementState, recordsQueue, type StoredElement } from "./OutboxEngine.ts"
import { unavailable } from "./Unavailable.ts"

/** The table of the persisted queue. */
export const table = "xase_outbox"

interface Row {
  readonly sequence: number | string | bigint
  readonly element: string
  readonly attempts: number
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * What the persisted queue looks for besides the oldest record: what is done, what is held, what was tried too often. Without
 * these a large backlog would be read from end to end for each of them.
 */
export const indexes: ReadonlyArray<string> = [
  `CREATE INDEX IF NOT EXISTS ${table}_completed ON ${table} (updated_at) WHERE state = 'completed'`,
  `CREATE INDEX IF NOT EXISTS ${table}_held ON ${table} (acquired_at) WHERE acquired_at IS NOT NULL`,
  `CREATE INDEX IF NOT EXISTS ${table}_attempts ON ${table} (queue_name, attempts) WHERE state = 'pending'`
]

/** What only the engine itself can do. */
export type EngineCare = Pick<Care, "check" | "compact">

/** {@link Care} for the table in this database. */
export const make = (sql: SqlClient, kind: string, engine: EngineCare): Care => {
  const failing = Effect.mapError(unavailable(kind)) satisfies <A>(
    effect: Effect.Effect<A, unknown>
  ) => Effect.Effect<A, OutboxUnavailable>

  const conditions: { readonly [State in ElementState]: Fragment } = {
    waiting: sql`queue_name = ${recordsQueue} AND state = 'pending' AND acquired_at IS NULL`,
    // Nobody takes dead letters.
    "in flight": sql`acquired_at IS NOT NULL`,
    dead: sql`queue_name = ${deadLettersQueue} AND state = 'pending'`,
    unreadable: sql`state = 'failed'`
  }

  const elementIn =
    (state: ElementState) =>
    ({ attempts, element, sequence }: Row): StoredElement => ({
      handle: String(sequence),
      state,
      attempts: Number(attempts),
      element: parsed(element)
    })

  const count = (condition: Fragment) =>
    Effect.map(
      sql<{ readonly count: number | string }>`SELECT count(*) AS count FROM ${sql(table)} WHERE ${condition}`,
      ([row]) => Number(row?.count ?? 0)
    )

  return {
    ...engine,
    counts: failing(
      Effect.map(
        Effect.all({
          pending: count(sql`queue_name = ${recordsQueue} AND state = 'pending'`),
          held: count(conditions["in flight"]),
          dead: count(conditions.dead),
          unreadable: count(conditions.unreadable)
        }),
        ({ dead, held, pending, unreadable }) => ({
          waiting: Math.max(0, pending - held),
          "in flight": held,
          dead,
          unreadable
        })
      )
    ),
    page: (state, from, limit) =>
      failing(
        Effect.map(
          sql<Row>`SELECT sequence, element, attempts FROM ${sql(table)}
            WHERE ${conditions[state]} AND sequence > ${from ?? "0"} ORDER BY sequence LIMIT ${limit}`,
          (rows) => ({
            elements: rows.map(elementIn(state)),
            next: rows.length < limit ? undefined : String(rows.at(-1)?.sequence)
          })
        )
      ),
    oldest: failing(
      Effect.map(
        sql<Row>`SELECT sequence, element, attempts FROM ${sql(table)}
          WHERE queue_name = ${recordsQueue} AND state = 'pending' ORDER BY visible_at, sequence LIMIT 1`,
        (rows) => rows.map(elementIn("waiting"))
      )
    ),
    remove: (elements) =>
      elements.length === 0
        ? Effect.void
        : failing(
            Effect.asVoid(
              sql`DELETE FROM ${sql(table)} WHERE ${sql.in(
                "sequence",
                elements.map(({ handle }) => Number(handle))
              )}`
            )
          )
  }
}
