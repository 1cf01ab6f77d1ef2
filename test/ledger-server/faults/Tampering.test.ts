/**
 * Tampering behind the ledger's back, and who notices.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LedgerOptions, LedgerServer, Tampering } from "../../../src/ledger-server/index.ts"
import * as client from "../client.ts"
import { withLedger } from "../running.ts"

type Ledger = LedgerServer["Service"]

/** Five records, then a change to the third, then what verification says of all that are left. */
const verdictsAfter = (change: (ids: ReadonlyArray<string>) => Tampering, options: LedgerOptions = {}) =>
  withLedger(options, (ledger: Ledger) =>
    Effect.gen(function* () {
      const ids = yield* Effect.forEach([1, 2, 3, 4, 5], (n) =>
        Effect.map(
          client.record(ledger, {
            input: { n },
            output: {},
            context: {},
            policyId: "p",
            confidence: 0.5,
            storePayload: true
          }),
          ({ transaction_id }) => transaction_id
        )
      )
      const tampered = yield* ledger.tamper(change(ids))
      const { records } = yield* client.list(ledger)
      const verdicts = yield* Effect.forEach(records, ({ transactionId }) => client.verify(ledger, transactionId))
      const bad = verdicts.filter(({ is_valid }) => !is_valid)
      return { ids, tampered, bad: new Set(bad.map(({ transaction_id }) => transaction_id)), verdicts }
    })
  )

const third = (ids: ReadonlyArray<string>): string => ids[2] ?? ""
const edit =
  (field: Extract<Tampering, { readonly type: "edit" }>["field"], value: string | number | null) =>
  (ids: ReadonlyArray<string>): Tampering => ({ type: "edit", transactionId: third(ids), field, value })

const edits = [
  edit("inputPayload", '{"n":99}'),
  edit("outputPayload", "not json"),
  edit("contextPayload", null),
  edit("inputPayload", null),
  edit("inputHash", `sha256:${"0".repeat(64)}`),
  edit("contextHash", null),
  edit("previousHash", "0".repeat(64)),
  edit("policyId", "forged"),
  edit("policyVersion", "forged"),
  edit("decisionType", "FRAUD"),
  edit("confidence", 0.99),
  edit("processingTime", 1),
  edit("timestamp", 946_684_800_000)
]

describe("this ledger notices", () => {
  it.live("an edit of any field, on the edited record alone", () =>
    Effect.forEach(
      edits,
      (change) =>
        Effect.map(verdictsAfter(change), ({ bad, ids }) => assert.deepStrictEqual(bad, new Set([third(ids)]))),
      { discard: true }
    )
  )

  it.live("another record hash, on the record and on its successor", () =>
    Effect.map(verdictsAfter(edit("recordHash", "0".repeat(64))), ({ bad, ids }) =>
      assert.deepStrictEqual(bad, new Set([ids[2], ids[3]]))
    )
  )

  it.live("a deleted record, on its successor", () =>
    Effect.map(
      verdictsAfter((ids) => ({ type: "delete", transactionId: third(ids) })),
      ({ bad, ids }) => assert.deepStrictEqual(bad, new Set([ids[3]]))
    )
  )

  it.live("records that changed places", () =>
    Effect.map(
      verdictsAfter((ids) => ({ type: "reorder", transactionId: third(ids), with: ids[3] ?? "" })),
      ({ bad, ids }) => assert.deepStrictEqual(bad, new Set([ids[2], ids[3], ids[4]]))
    )
  )

  it.live("records that were made up, at the end or as a fork", () =>
    Effect.gen(function* () {
      for (const type of ["insert", "fork"] as const) {
        const { bad, ids, tampered } = yield* verdictsAfter((all) => ({ type, transactionId: third(all) }))
        assert.deepStrictEqual(bad, new Set(tampered))
        assert.notInclude(ids, tampered[0])
      }
    })
  )
})

describe("the public ledger", () => {
  it.live("notices payloads and broken hashes, not what its hashes leave out", () =>
    Effect.gen(function* () {
      const unnoticed = [
        edit("confidence", 0.99),
        edit("policyId", "forged"),
        edit("timestamp", 946_684_800_000),
        edit("inputPayload", null)
      ]
      for (const change of unnoticed)
        assert.strictEqual((yield* verdictsAfter(change, { compat: "public" })).bad.size, 0)
      const noticed = [
        edit("inputPayload", "{}"),
        edit("recordHash", "0".repeat(64)),
        edit("contextPayload", "not json")
      ]
      for (const change of noticed) assert.strictEqual((yield* verdictsAfter(change, { compat: "public" })).bad.size, 1)
    })
  )
})

describe("tampering", () => {
  it.live("leaves the triggers in place and names a record that does not exist", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const refused = yield* Effect.flip(ledger.tamper({ type: "delete", transactionId: "txn_none" }))
        assert.include(refused.message, "txn_none")
        const { transaction_id } = yield* client.record(ledger, { input: {}, output: {} })
        yield* ledger.tamper({ type: "edit", transactionId: transaction_id, field: "confidence", value: 1 })
        yield* ledger.tamper({ type: "edit", transactionId: transaction_id, field: "confidence", value: null })
        assert.isTrue((yield* client.verify(ledger, transaction_id)).is_valid)
      })
    )
  )
})
