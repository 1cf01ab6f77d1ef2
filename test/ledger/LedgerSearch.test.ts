import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ListedRecord, RecordsPage } from "../../src/contract/RecordsPage.ts"
import * as BodyFacts from "../../src/evidence/BodyFacts.ts"
import { recordHash } from "../../src/evidence/LedgerHash.ts"
import type * as Ledger from "../../src/ledger/Ledger.ts"
import * as LedgerSearch from "../../src/ledger/LedgerSearch.ts"
import { RecordNotFound } from "../../src/XaseError.ts"

const record = (n: number): LedgerSearch.Sought => ({
  policy: `loans-${n}`,
  body: JSON.stringify({ policyId: `loans-${n}`, input: { n }, output: {}, context: {} })
})

const idOf = (index: number): string => `txn_${index.toString(16).padStart(32, "0")}`

const listOf = (bodies: ReadonlyArray<LedgerSearch.Sought>): ReadonlyArray<ListedRecord> => {
  const rows: Array<ListedRecord> = []
  let previousHash: string | null = null
  for (const [index, { body, policy }] of bodies.entries()) {
    const { contextHash, inputHash, outputHash } = BodyFacts.read(body)
    previousHash = recordHash({ previousHash, inputHash, outputHash, contextHash })
    rows.unshift({
      transactionId: idOf(index),
      policy,
      policyVersion: null,
      decisionType: null,
      confidence: null,
      processingTime: null,
      timestamp: new Date(1_000_000 + index).toISOString(),
      recordHash: previousHash
    })
  }
  return rows
}

const ledgerOf = (page: (number: number) => RecordsPage): Ledger.Service => ({
  append: () => Effect.die("a search appends nothing"),
  verify: (transactionId) => Effect.fail(new RecordNotFound({ transactionId })),
  list: ({ page: number = 1 }) => Effect.sync(() => page(number)),
  setApiKey: () => Effect.void
})

describe("a search in the ledger's list", () => {
  it.effect("finds a record that came into the list after it was read first", () =>
    Effect.gen(function* () {
      let bodies = [record(1)]
      const search = LedgerSearch.make(
        ledgerOf(() => {
          const records = listOf(bodies)
          return { records, pagination: { page: 1, limit: 100, total: records.length, pages: 1 } }
        }),
        "http://ledger"
      )
      assert.strictEqual((yield* search.find(record(1), 1_000_000))._tag, "Recorded")
      assert.strictEqual((yield* search.find(record(2), 1_000_000))._tag, "NotRecorded")
      bodies = [record(1), record(2)]
      const found = yield* search.find(record(2), 1_000_000)
      assert.strictEqual(found._tag === "Recorded" ? found.receipt.transactionId : found._tag, idOf(1))
      assert.strictEqual((yield* search.find(record(1), 1_000_000))._tag, "Recorded")
    })
  )

  it.effect("does not know where a list repeats itself and never ends", () =>
    Effect.gen(function* () {
      let asked = 0
      const records = listOf([record(1)])
      const search = LedgerSearch.make(
        ledgerOf((page) => {
          asked++
          return { records, pagination: { page, limit: 100, total: 1e11, pages: 1e9 } }
        }),
        "http://ledger"
      )
      // Accepted long before the only row, so that the time does not end the reading.
      assert.strictEqual((yield* search.find(record(2), -1e9))._tag, "Unknown")
      assert.isBelow(asked, 100)
    })
  )
})
