/**
 * The driver of the Postgres outbox, which nobody has to install.
 */

/** Not written out where it is imported: a bundler would miss it. The build of the facade has the driver inside instead. */
const driver: string = "@effect/sql-pg/PgClient"

/** Loads `@effect/sql-pg`; rejects where it is not installed. */
export const loadDriver = (): Promise<typeof import("@effect/sql-pg/PgClient")> => import(driver)
