/**
 * The tables of the ledger.
 *
 * Records and interventions are immutable in the database itself: triggers refuse UPDATE and DELETE. A record's place in
 * the chain of its tenant is unique, so that two records can never share one. Every index costs each append a page, so
 * there is one only where a request needs it; ids grow with time, which keeps theirs compact.
 */
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"

/** The triggers that make records and interventions immutable, by name. */
export const immutabilityTriggers: ReadonlyMap<string, string> = new Map(
  ["records", "interventions"].flatMap((table) =>
    ["UPDATE", "DELETE"].map((verb): [string, string] => {
      const name = `${table}_no_${verb.toLowerCase()}`
      const refusal = `SELECT RAISE(ABORT, '${table} are immutable: ${verb} refused')`
      return [name, `CREATE TRIGGER ${name} BEFORE ${verb} ON ${table} BEGIN ${refusal}; END`]
    })
  )
)

const initial: ReadonlyArray<string> = [
  `CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED', 'CANCELLED')),
    quota_used INTEGER NOT NULL DEFAULT 0
  ) STRICT`,
  `CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    key_hash BLOB NOT NULL UNIQUE,
    permissions TEXT NOT NULL,
    rate_limit INTEGER,
    is_active INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL
  ) STRICT`,
  `CREATE TABLE records (
    sequence INTEGER PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    transaction_id TEXT NOT NULL UNIQUE,
    timestamp INTEGER NOT NULL,
    policy_id TEXT,
    policy_version TEXT,
    decision_type TEXT,
    confidence REAL,
    processing_time INTEGER,
    input_hash TEXT NOT NULL,
    output_hash TEXT NOT NULL,
    context_hash TEXT,
    previous_hash TEXT,
    record_hash TEXT NOT NULL,
    input_payload TEXT,
    output_payload TEXT,
    context_payload TEXT,
    seal BLOB NOT NULL,
    UNIQUE (tenant_id, position)
  ) STRICT`,
  "CREATE INDEX records_by_policy ON records (tenant_id, policy_id, position)",
  `CREATE TABLE interventions (
    sequence INTEGER PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    transaction_id TEXT NOT NULL,
    action TEXT NOT NULL,
    actor_user_id TEXT,
    actor_name TEXT,
    actor_email TEXT,
    actor_role TEXT,
    reason TEXT,
    notes TEXT,
    metadata TEXT,
    new_outcome TEXT,
    timestamp INTEGER NOT NULL
  ) STRICT`,
  "CREATE INDEX interventions_by_record ON interventions (transaction_id, sequence)",
  `CREATE TABLE idempotency_keys (
    sequence INTEGER PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    key TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    answer TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (key, tenant_id)
  ) STRICT`,
  ...immutabilityTriggers.values()
]

const statements = Effect.fnUntraced(function* (list: ReadonlyArray<string>) {
  const sql = yield* SqlClient.SqlClient
  for (const statement of list) yield* sql.unsafe(statement)
})

/** Brings the database to the newest form of its tables. */
export const run = Migrator.make({})({
  loader: Migrator.fromRecord({ "0001_initial": statements(initial) })
})
