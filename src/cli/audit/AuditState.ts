/**
 * Where an audit stands, in a SQLite file: the records that were walked, what was found, how far it came. With it a large
 * ledger is walked in constant memory, and an audit that was interrupted goes on.
 */
import { rmSync, writeFileSync } from "node:fs"
import { isObject, parse, text } from "../../evidence/Json.ts"
import * as LedgerWalk from "../../evidence/LedgerWalk.ts"
import type { ChainedCommitment } from "../../evidence/ProducerChain.ts"
import type { ReportedRecord } from "../../evidence/Report.ts"
import type { Problem, Verdict } from "../../evidence/Verdict.ts"
import { open as openDatabase, type Row } from "../../sql/Sqlite.ts"

/** A record with all that the audit found out about it. */
export interface AuditedRecord {
  readonly walked: LedgerWalk.WalkedRecord
  readonly hashes: { readonly input: string | null; readonly output: string | null; readonly context: string | null }
  readonly verdict: Verdict
  readonly commitment: ChainedCommitment | undefined
}

/** How many records have which verdict. */
export interface Counts {
  readonly valid: number
  readonly invalid: number
  readonly indeterminate: number
}

/** The moment in which an audit began: what came into the ledger later is not its business. */
export interface Beginning {
  /** Epoch milliseconds. */
  readonly at: number
  /** The last head that the journal had seen. */
  readonly knownHead?: LedgerWalk.KnownHead | undefined
}

/** What an audit has seen so far, in a file, so that it can be resumed. */
export interface AuditState {
  readonly walk: () => LedgerWalk.WalkState
  /** What was known when the audit began; the first call says it, later ones are told it. */
  readonly began: (now: Beginning) => Beginning
  readonly index: LedgerWalk.WalkIndex
  /** Adds some records, newest first, in one step. */
  readonly add: (records: ReadonlyArray<AuditedRecord>) => void
  readonly has: (transactionId: string) => boolean
  readonly counts: () => Counts
  readonly problems: (limit: number) => ReadonlyArray<Problem>
  readonly missing: () => ReadonlyArray<{ readonly what: string; readonly records: number }>
  /** All producers, with the number of their commitments. */
  readonly producers: () => ReadonlyArray<{ readonly producer: string; readonly commitments: number }>
  readonly commitments: (producer: string) => Iterable<ChainedCommitment>
  /** All records, newest first, a few at a time. */
  readonly records: () => Iterable<ReadonlyArray<ReportedRecord>>
  readonly close: () => void
}

const tables = `
  CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY,
    transaction_id TEXT NOT NULL,
    record_hash TEXT NOT NULL,
    previous_hash TEXT,
    input_hash TEXT,
    output_hash TEXT,
    context_hash TEXT,
    verdict TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS records_by_hash ON records (record_hash);
  CREATE INDEX IF NOT EXISTS records_by_transaction ON records (transaction_id);
  CREATE TABLE IF NOT EXISTS problems (id INTEGER PRIMARY KEY, problem TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS missing (what TEXT PRIMARY KEY, records INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS commitments (
    id INTEGER PRIMARY KEY,
    producer TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL,
    previous_hash TEXT,
    transaction_id TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS commitments_by_producer ON commitments (producer, sequence);
  CREATE TABLE IF NOT EXISTS progress (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;`

const batch = 1_000

const textOrNull = (row: Row | undefined, column: string): string | null => {
  const value = row?.[column]
  return typeof value === "string" ? value : null
}

const walkedOf = (row: Row): LedgerWalk.WalkedRecord => ({
  transactionId: textOrNull(row, "transaction_id") ?? "",
  recordHash: textOrNull(row, "record_hash") ?? "",
  previousHash: textOrNull(row, "previous_hash")
})

const isWalkState = (value: unknown): value is LedgerWalk.WalkState =>
  isObject(value) && typeof value.records === "number" && Array.isArray(value.broken)

const isBeginning = (value: unknown): value is Beginning => isObject(value) && typeof value.at === "number"

const problemOf = (row: Row): ReadonlyArray<Problem> => {
  const problem = parse(textOrNull(row, "problem") ?? "")
  const message = text(problem, "message")
  const isProblem = (value: unknown): value is Problem => isObject(value) && message !== undefined
  return isProblem(problem) ? [problem] : []
}

/** Opens the state of an audit; `restart` forgets what an earlier one came to. */
export const open = (path: string, restart: boolean): AuditState => {
  if (restart) for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true })
  writeFileSync(path, "", { flag: "a", mode: 0o600 })
  const { database, sqlite } = openDatabase(path)
  sqlite.script(tables)
  const progress = (name: string): unknown =>
    parse(textOrNull(sqlite.get("SELECT value FROM progress WHERE name = ?", name), "value") ?? "")
  const keep = (name: string, value: object): void =>
    void sqlite.run(
      "INSERT INTO progress (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      name,
      JSON.stringify(value)
    )
  const stored = progress("walk")
  let walk = isWalkState(stored) ? stored : LedgerWalk.start

  const index: LedgerWalk.WalkIndex = {
    // Records are noted by `add`, with everything else that is known of them.
    add: () => {},
    find: (recordHash) => {
      const row = sqlite.get(
        "SELECT transaction_id, record_hash, previous_hash FROM records WHERE record_hash = ?",
        recordHash
      )
      return row === undefined ? undefined : walkedOf(row)
    }
  }

  const note = ({ commitment, hashes, verdict, walked }: AuditedRecord): void => {
    sqlite.run(
      "INSERT INTO records (transaction_id, record_hash, previous_hash, input_hash, output_hash, context_hash, verdict) VALUES (?, ?, ?, ?, ?, ?, ?)",
      walked.transactionId,
      walked.recordHash,
      walked.previousHash,
      hashes.input,
      hashes.output,
      hashes.context,
      verdict.verdict
    )
    for (const problem of verdict.problems) {
      sqlite.run(
        "INSERT INTO problems (problem) VALUES (?)",
        JSON.stringify({ transactionId: walked.transactionId, ...problem })
      )
    }
    for (const what of verdict.missing) {
      sqlite.run(
        "INSERT INTO missing (what, records) VALUES (?, 1) ON CONFLICT (what) DO UPDATE SET records = records + 1",
        what
      )
    }
    if (commitment === undefined) return
    sqlite.run(
      "INSERT INTO commitments (producer, sequence, hash, previous_hash, transaction_id) VALUES (?, ?, ?, ?, ?)",
      commitment.producer,
      commitment.sequence,
      commitment.hash,
      commitment.previousHash,
      walked.transactionId
    )
  }

  function* commitmentsOf(producer: string): Generator<ChainedCommitment> {
    let last = Number.MAX_SAFE_INTEGER
    while (true) {
      const rows = sqlite.all(
        `SELECT * FROM commitments WHERE producer = ? AND id < ? ORDER BY id DESC LIMIT ${batch}`,
        producer,
        last
      )
      for (const row of rows) {
        yield {
          producer,
          sequence: Number(row.sequence),
          hash: textOrNull(row, "hash") ?? "",
          previousHash: textOrNull(row, "previous_hash"),
          transactionId: textOrNull(row, "transaction_id") ?? undefined
        }
      }
      if (rows.length < batch) return
      last = Number(rows.at(-1)?.id)
    }
  }

  return {
    walk: () => walk,
    began: (now) => {
      const then = progress("beginning")
      if (isBeginning(then)) return then
      keep("beginning", now)
      return now
    },
    index,
    add: (records) =>
      sqlite.transaction(() => {
        for (const record of records) {
          note(record)
          walk = LedgerWalk.step(walk, record.walked, index)
        }
        keep("walk", walk)
      }),
    has: (transactionId) => sqlite.get("SELECT id FROM records WHERE transaction_id = ?", transactionId) !== undefined,
    counts: () => {
      const counts = { valid: 0, invalid: 0, indeterminate: 0 }
      for (const row of sqlite.all("SELECT verdict, count(*) AS records FROM records GROUP BY verdict")) {
        const verdict = textOrNull(row, "verdict")
        if (verdict === "valid" || verdict === "invalid" || verdict === "indeterminate") {
          counts[verdict] = Number(row.records)
        }
      }
      return counts
    },
    problems: (limit) => sqlite.all("SELECT problem FROM problems ORDER BY id LIMIT ?", limit).flatMap(problemOf),
    missing: () =>
      sqlite
        .all("SELECT what, records FROM missing ORDER BY records DESC, what")
        .map((row) => ({ what: textOrNull(row, "what") ?? "", records: Number(row.records) })),
    producers: () =>
      sqlite
        .all("SELECT producer, count(*) AS commitments FROM commitments GROUP BY producer ORDER BY producer")
        .map((row) => ({ producer: textOrNull(row, "producer") ?? "", commitments: Number(row.commitments) })),
    // Against the order of the walk, which is the order of the chain.
    commitments: (producer) => ({ [Symbol.iterator]: () => commitmentsOf(producer) }),
    *records() {
      let last = 0
      while (true) {
        const rows = sqlite.all(`SELECT * FROM records WHERE id > ? ORDER BY id LIMIT ${batch}`, last)
        if (rows.length === 0) return
        yield rows.map((row) => {
          const { previousHash, recordHash, transactionId } = walkedOf(row)
          const [input, output, context] = ["input_hash", "output_hash", "context_hash"].map((name) =>
            textOrNull(row, name)
          )
          return [transactionId, previousHash, input ?? null, output ?? null, context ?? null, recordHash] as const
        })
        last = Number(rows.at(-1)?.id)
      }
    },
    close: () => database.close()
  }
}
