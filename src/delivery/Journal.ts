/**
 * The producer's own memory of what it sent, in a SQLite file: hashes, the fields that the ledger shows anyway, receipts.
 *
 * Never a payload. With it a record can be verified although the ledger keeps no payload, a producer's chain goes on after a
 * restart, and a ledger that was set back is noticed by its next receipt. It is not in the way of delivery: what cannot be
 * written is said once and delivery goes on.
 *
 * Several processes may write one journal; the first one that opened it continues its producer, the others are producers of
 * their own.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Receipt } from "../contract/Receipt.ts"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import type { ProducerState } from "../decision/Sealer.ts"
import * as SealedBody from "../evidence/BodyFacts.ts"
import { isObject, parse } from "../evidence/Json.ts"
import { recordHash } from "../evidence/LedgerHash.ts"
import type { KnownHead } from "../evidence/LedgerWalk.ts"
import type { ChainedCommitment } from "../evidence/ProducerChain.ts"
import type { KnownRecord } from "../evidence/RecordCheck.ts"
import { XaseConfig } from "../settings/XaseConfig.ts"
import { open as openDatabase, type Row, type Sqlite } from "../sql/Sqlite.ts"
import * as SqliteFile from "../sql/SqliteFile.ts"
import { ConfigurationError } from "../XaseError.ts"

/**
 * How a receipt stands to the last head that this journal saw.
 *
 * - `first`: there was none.
 * - `continues`: the new record follows the head, which is thereby proven to be in its chain.
 * - `unlinked`: it follows something else, as it does when others write to the ledger too, when records are sent side by side
 *   or when the ledger repeats an old receipt; an audit looks it up.
 * - `set back`: it was sent after a head had been seen and recorded later than that head, and yet follows an older record of
 *   this journal, or none at all: the head was not in the chain any more.
 */
export type Continuity = "first" | "continues" | "unlinked" | "set back"

/** What the journal knows of a record, by its place in the journal. */
export interface JournalEntry {
  readonly known: KnownRecord
  readonly commitment: ChainedCommitment | undefined
  readonly transactionId: string | undefined
  /** When the receipt came, epoch milliseconds. */
  readonly receivedAt: number | undefined
}

/** Reads and writes the journal of a producer: hashes, fields that the ledger shows anyway, receipts; never a payload. */
export interface Service {
  /** Where the producer's chain stands; `undefined` to begin a new one. */
  readonly producer: ProducerState | undefined
  /** Notes that a sealed record is being sent; `own` is the producer that this client goes on with at its next start. */
  readonly sent: (record: LedgerRecord, now: number, own: string) => void
  /** Notes the receipt for a record. */
  readonly received: (record: LedgerRecord, receipt: Receipt, now: number) => void
  /** Notes how many decisions the producer accepted; the last thing before it ends. */
  readonly ended: (sequence: number) => void
  readonly find: (transactionId: string) => JournalEntry | undefined
  /** The last head of the ledger that was seen. */
  readonly head: () => KnownHead | undefined
  /** All entries in the order of sending, a few at a time. */
  readonly entries: () => Iterable<JournalEntry>
}

/** The journal of the surrounding client. */
export class Journal extends Context.Service<Journal, Service>()("xase-sdk/Journal") {}

/** No journal. */
const none: Service = {
  producer: undefined,
  sent: () => {},
  received: () => {},
  ended: () => {},
  find: () => undefined,
  head: () => undefined,
  entries: () => []
}

const tables = `
  CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY,
    idempotency_key TEXT NOT NULL,
    input_hash TEXT NOT NULL,
    output_hash TEXT NOT NULL,
    context_hash TEXT,
    decision TEXT NOT NULL,
    producer TEXT,
    sequence INTEGER,
    commitment_hash TEXT,
    previous_commitment TEXT,
    sent_at INTEGER NOT NULL,
    transaction_id TEXT,
    record_hash TEXT,
    ledger_timestamp TEXT,
    continuity TEXT,
    replayed INTEGER NOT NULL DEFAULT 0,
    received_at INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS entries_by_key ON entries (idempotency_key);
  CREATE INDEX IF NOT EXISTS entries_by_transaction ON entries (transaction_id);
  CREATE TABLE IF NOT EXISTS producers (
    name TEXT PRIMARY KEY,
    producer TEXT NOT NULL,
    sequence INTEGER NOT NULL
  ) STRICT;`

const textOf = (row: Row, column: string): string | undefined => {
  const value = row[column]
  return typeof value === "string" ? value : undefined
}

const numberOf = (row: Row, column: string): number => Number(row[column] ?? 0)

const entryOf = (row: Row): JournalEntry => {
  const transactionId = textOf(row, "transaction_id")
  const recordHash = textOf(row, "record_hash")
  const producer = textOf(row, "producer")
  const hash = textOf(row, "commitment_hash")
  const decision = parse(textOf(row, "decision") ?? "")
  return {
    transactionId,
    receivedAt: row.received_at === null ? undefined : numberOf(row, "received_at"),
    known: {
      inputHash: textOf(row, "input_hash"),
      outputHash: textOf(row, "output_hash"),
      contextHash: textOf(row, "context_hash") ?? null,
      decision: isObject(decision) ? decision : undefined,
      commitmentHash: hash,
      replayed: numberOf(row, "replayed") === 1,
      receipt:
        transactionId === undefined || recordHash === undefined
          ? undefined
          : { transaction_id: transactionId, record_hash: recordHash, timestamp: textOf(row, "ledger_timestamp") }
    },
    commitment:
      producer === undefined || hash === undefined
        ? undefined
        : {
            producer,
            hash,
            sequence: numberOf(row, "sequence"),
            previousHash: textOf(row, "previous_commitment") ?? null,
            transactionId
          }
  }
}

/** A record that was seen in the ledger: by the ledger's clock and by this one, epoch milliseconds. */
interface SeenHead extends KnownHead {
  readonly recordedAt: number
  readonly receivedAt: number
}

/** How far back a receipt that does not follow the head is compared. */
const rememberedHeads = 64

/** How many entries are read at a time. */
const batch = 1_000

const make = (sqlite: Sqlite, isOwner: boolean, say: (line: string) => void): Service => {
  let hasFailed = false
  const attempt = (write: () => void): void => {
    try {
      write()
    } catch (cause) {
      if (hasFailed) return
      hasFailed = true
      say(
        `xase: the journal cannot be written (${cause instanceof Error ? cause.message : String(cause)}); delivery goes on`
      )
    }
  }

  const producer = (): ProducerState | undefined => {
    const state = isOwner ? sqlite.get("SELECT producer, sequence FROM producers WHERE name = 'main'") : undefined
    const id = state === undefined ? undefined : textOf(state, "producer")
    if (state === undefined || id === undefined) return undefined
    const last = sqlite.get(
      "SELECT sequence, commitment_hash FROM entries WHERE producer = ? ORDER BY id DESC LIMIT 1",
      id
    )
    const highest = sqlite.get("SELECT max(sequence) AS sequence FROM entries WHERE producer = ?", id)
    return {
      producer: id,
      sequence: Math.max(numberOf(state, "sequence"), numberOf(highest ?? {}, "sequence")),
      head: textOf(last ?? {}, "commitment_hash") ?? null
    }
  }

  let known = producer()
  const keepProducer = (id: string, sequence: number): void => {
    sqlite.run(
      "INSERT INTO producers (name, producer, sequence) VALUES ('main', ?, ?) ON CONFLICT (name) DO UPDATE SET producer = excluded.producer, sequence = excluded.sequence",
      id,
      sequence
    )
    known = { producer: id, sequence, head: null }
  }

  /** The last records that were seen, newest first: asking the database for each receipt would be dear. */
  let heads: ReadonlyArray<SeenHead> = sqlite
    .all(
      `SELECT transaction_id, record_hash, ledger_timestamp, received_at FROM entries WHERE record_hash IS NOT NULL ORDER BY received_at DESC, id DESC LIMIT ${rememberedHeads}`
    )
    .map((row) => ({
      transactionId: textOf(row, "transaction_id") ?? "",
      recordHash: textOf(row, "record_hash") ?? "",
      recordedAt: Date.parse(textOf(row, "ledger_timestamp") ?? ""),
      receivedAt: numberOf(row, "received_at")
    }))

  const continuityOf = (parts: Row, receipt: Receipt): Continuity => {
    if (heads.length === 0) return "first"
    const isGenesis = receipt.chainPosition === "genesis"
    const followed = isGenesis
      ? undefined
      : heads.find((head) => {
          const made = recordHash({
            previousHash: head.recordHash,
            inputHash: textOf(parts, "input_hash") ?? "",
            outputHash: textOf(parts, "output_hash") ?? "",
            contextHash: textOf(parts, "context_hash") ?? null
          })
          return made === receipt.recordHash
        })
    if (followed !== undefined && followed === heads[0]) return "continues"
    if (followed === undefined && !isGenesis) return "unlinked"
    const sentAt = numberOf(parts, "sent_at")
    const recordedAt = Date.parse(receipt.timestamp)
    // Only a head that the ledger had when this record was sent, and has not put before it, is lost. Receipts that cross, and
    // receipts that are repeated, fail one of these comparisons.
    const isLost = heads.some(
      (head) =>
        head.receivedAt < sentAt &&
        head.recordedAt < recordedAt &&
        (followed === undefined || head.recordedAt > followed.recordedAt)
    )
    return isLost ? "set back" : "unlinked"
  }

  const receive = (record: LedgerRecord, receipt: Receipt, now: number): Continuity | undefined => {
    const open = sqlite.get(
      "SELECT id, input_hash, output_hash, context_hash, sent_at FROM entries WHERE idempotency_key = ? ORDER BY id DESC LIMIT 1",
      record.idempotencyKey
    )
    if (open === undefined) return undefined
    const isKnown = sqlite.get("SELECT id FROM entries WHERE transaction_id = ?", receipt.transactionId) !== undefined
    // The ledger answered with an older record of this journal: that one keeps its entry.
    const continuity = isKnown ? undefined : continuityOf(open, receipt)
    sqlite.run(
      "UPDATE entries SET transaction_id = ?, record_hash = ?, ledger_timestamp = ?, continuity = ?, replayed = ?, received_at = ? WHERE id = ?",
      isKnown ? null : receipt.transactionId,
      isKnown ? null : receipt.recordHash,
      receipt.timestamp,
      continuity ?? null,
      isKnown ? 1 : 0,
      now,
      numberOf(open, "id")
    )
    if (!isKnown) {
      const { recordHash: hash, transactionId } = receipt
      const head = { transactionId, recordHash: hash, recordedAt: Date.parse(receipt.timestamp), receivedAt: now }
      heads = [head, ...heads.slice(0, rememberedHeads - 1)]
    }
    return continuity
  }

  return {
    producer: known,
    sent: (record, now, own) =>
      attempt(() => {
        const { commitment, contextHash, decision, inputHash, outputHash } = SealedBody.read(record.body)
        sqlite.run(
          "INSERT INTO entries (idempotency_key, input_hash, output_hash, context_hash, decision, producer, sequence, commitment_hash, previous_commitment, sent_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          record.idempotencyKey,
          inputHash,
          outputHash,
          contextHash,
          decision,
          commitment?.producer ?? null,
          commitment?.sequence ?? null,
          commitment?.hash ?? null,
          commitment?.previousHash ?? null,
          now
        )
        if (isOwner && commitment?.producer === own && known?.producer !== own) {
          keepProducer(own, 0)
        }
      }),
    received: (record, receipt, now) =>
      attempt(() => {
        if (receive(record, receipt, now) === "set back") {
          say(
            `xase: ${receipt.transactionId} was recorded after the last record that was seen and does not follow it: the ledger was set back, or forked. Run xase audit with this journal to see which records are gone`
          )
        }
      }),
    ended: (sequence) =>
      attempt(() => {
        if (isOwner && known !== undefined) keepProducer(known.producer, sequence)
      }),
    find: (transactionId) => {
      const row = sqlite.get("SELECT * FROM entries WHERE transaction_id = ?", transactionId)
      return row === undefined ? undefined : entryOf(row)
    },
    head: () => heads[0],
    *entries() {
      let last = 0
      while (true) {
        const rows = sqlite.all(`SELECT * FROM entries WHERE id > ? ORDER BY id LIMIT ${batch}`, last)
        for (const row of rows) yield entryOf(row)
        if (rows.length < batch) return
        last = numberOf(rows.at(-1) ?? {}, "id")
      }
    }
  }
}

/**
 * Opens a journal: a path, or `:memory:` for as long as the client lives; none without a path. To write it, or only to look
 * things up in one that exists.
 */
export const open = (
  path: string | undefined,
  use: "write" | "read"
): Effect.Effect<Service, ConfigurationError, Scope.Scope> =>
  Effect.gen(function* () {
    if (path === undefined) return none
    const context = yield* Effect.context<never>()
    const say = (line: string): void => void Effect.runForkWith(context)(Effect.logWarning(line))
    const opened = yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          if (path === ":memory:") return { ...openDatabase(path), ...SqliteFile.alone }
          if (use === "read" && !process.getBuiltinModule("node:fs").existsSync(path)) throw new Error("no such file")
          SqliteFile.prepare(path)
          return { ...openDatabase(path), ...(use === "read" ? SqliteFile.among : SqliteFile.own(path)) }
        },
        catch: (cause) =>
          new ConfigurationError({
            setting: "journal",
            problem: `is ${JSON.stringify(path)}, which cannot be opened (${cause instanceof Error ? cause.message : String(cause)})`,
            fix: "Name a file in a folder that exists and can be written."
          })
      }),
      ({ database, release }) =>
        Effect.sync(() => {
          database.close()
          release()
        })
    )
    yield* Effect.try({
      try: () => opened.sqlite.script(tables),
      catch: () =>
        new ConfigurationError({
          setting: "journal",
          problem: `is ${JSON.stringify(path)}, which is no journal`,
          fix: "Name another file, or one that does not exist yet."
        })
    })
    return make(opened.sqlite, opened.isOwner, say)
  })

const layerOf = (use: "write" | "read"): Layer.Layer<Journal, ConfigurationError, XaseConfig> =>
  Layer.effect(
    Journal,
    Effect.flatMap(XaseConfig, ({ journal }) => open(journal, use))
  )

/** The journal of the settings, or none. */
export const layer = layerOf("write")

/** The same, to look things up in. */
export const layerReader = layerOf("read")
