import { assert, describe, it } from "@effect/vitest"
import type { LedgerRecord } from "../../src/decision/DecisionRecord.ts"
import { capacity, make } from "../../src/delivery/KnownKeys.ts"
import { record } from "../support/records.ts"

const named = (idempotencyKey: string, fingerprint: string): LedgerRecord => record({ idempotencyKey, fingerprint })

const settle = (keys: ReturnType<typeof make>, settled: LedgerRecord): void => {
  keys.accepted(settled)
  keys.settled(settled)
}

describe("keys that the application chose (R31)", () => {
  const first = named("loan_1", "a")
  const same = named("loan_1", "a")
  const other = named("loan_1", "b")

  it("are new, then under way, then new again for the same decision", () => {
    const keys = make()
    assert.strictEqual(keys.standingOf(first), "new")
    keys.accepted(first)
    assert.strictEqual(keys.standingOf(same), "under way")
    keys.settled(first)
    assert.strictEqual(keys.standingOf(same), "new")
  })

  it("conflict with another decision, before and after the first one settled", () => {
    const keys = make()
    keys.accepted(first)
    assert.strictEqual(keys.standingOf(other), "conflict")
    keys.settled(first)
    assert.strictEqual(keys.standingOf(other), "conflict")
    settle(keys, same)
    assert.strictEqual(keys.standingOf(other), "conflict")
  })

  it("are free again when the ledger did not get the record", () => {
    const keys = make()
    keys.accepted(first)
    keys.forgotten(first)
    assert.strictEqual(keys.standingOf(other), "new")
    settle(keys, other)
    assert.strictEqual(keys.standingOf(first), "conflict")
  })

  it("stay with what the ledger may have when a repetition of it fails later", () => {
    const keys = make()
    settle(keys, first)
    for (let times = 0; times < 2; times++) {
      keys.accepted(same)
      keys.forgotten(same)
      assert.strictEqual(keys.standingOf(same), "new")
      assert.strictEqual(keys.standingOf(other), "conflict")
    }
  })

  it("of different decisions do not meet", () => {
    const keys = make()
    keys.accepted(first)
    assert.strictEqual(keys.standingOf(named("loan_2", "b")), "new")
  })
})

describe("keys that the SDK made", () => {
  it("are always new and never remembered", () => {
    const keys = make()
    const fresh = record({ idempotencyKey: "fresh" })
    keys.accepted(fresh)
    assert.strictEqual(keys.standingOf(fresh), "new")
    assert.strictEqual(keys.standingOf(named("fresh", "a")), "new")
    keys.settled(fresh)
    keys.forgotten(fresh)
    assert.strictEqual(keys.standingOf(named("fresh", "a")), "new")
  })
})

describe("memory", () => {
  const numbered = (n: number) => named(`loan_${n}`, "a")
  const isKnown = (keys: ReturnType<typeof make>, n: number) => keys.standingOf(named(`loan_${n}`, "b")) === "conflict"

  it("keeps the last settled keys and forgets the oldest", () => {
    const keys = make()
    for (let n = 0; n < capacity; n++) settle(keys, numbered(n))
    assert.isTrue(isKnown(keys, 0))
    settle(keys, numbered(capacity))
    assert.isFalse(isKnown(keys, 0))
    assert.isTrue(isKnown(keys, 1))
    assert.isTrue(isKnown(keys, capacity))
  })

  it("counts a key once, however often it settled", () => {
    const keys = make()
    settle(keys, numbered(0))
    for (let n = 0; n < capacity * 2; n++) settle(keys, numbered(1))
    for (let n = 2; n < capacity; n++) settle(keys, numbered(n))
    for (let n = 0; n < 10; n++) keys.settled(numbered(1))
    assert.isTrue(isKnown(keys, 0))
    settle(keys, numbered(capacity))
    assert.isFalse(isKnown(keys, 0))
  })

  it("never forgets what is under way, however old", () => {
    const keys = make()
    keys.accepted(numbered(0))
    for (let n = 1; n <= capacity + 5; n++) settle(keys, numbered(n))
    assert.isTrue(isKnown(keys, 0))
    assert.isFalse(isKnown(keys, 1))
    assert.isFalse(isKnown(keys, 5))
    assert.isTrue(isKnown(keys, 6))
  })

  it("does not count what is forgotten or accepted again", () => {
    const keys = make()
    for (let n = 0; n < capacity; n++) settle(keys, numbered(n))
    for (let n = 0; n < 100; n++) {
      keys.accepted(numbered(capacity))
      keys.forgotten(numbered(capacity))
    }
    keys.accepted(numbered(capacity - 1))
    settle(keys, numbered(capacity))
    assert.isTrue(isKnown(keys, 0))
  })
})
