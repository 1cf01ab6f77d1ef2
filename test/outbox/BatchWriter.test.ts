/**
 * Taking records into a store that answers as the test says.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import { type LedgerRecord, make as makeRecord } from "../../src/decision/DecisionRecord.ts"
import type { Signer } from "../../src/decision/Signer.ts"
import * as Accounts from "../../src/delivery/Settlement.ts"
import * as SealedBody from "../../src/evidence/BodyFacts.ts"
import * as BatchWriter from "../../src/outbox/BatchWriter.ts"
import type * as RecordStore from "../../src/outbox/RecordStore.ts"
import { OutboxUnavailable, SigningFailed } from "../../src/XaseError.ts"

const encoding = { runtimeContext: {}, redactions: {}, redact: undefined, maxRecordBytes: 1_000_000, evidenceBytes: 0 }

const recordOf = (n: number, transactionId?: string): LedgerRecord =>
  Result.getOrThrow(
    makeRecord(
      { policy: "p", input: { n }, output: {}, transactionId },
      { now: 0, span: undefined, idempotencyKey: undefined, timeout: undefined },
      encoding
    )
  )

type StoreCall = RecordStore.Service["store"]

const unavailable = (stored: "no" | "perhaps") =>
  new OutboxUnavailable({ outbox: "test", problem: "away", fix: "", stored })

/** A writer over a store whose calls the test answers, with what was stored so far. */
const setUp = Effect.fnUntraced(function* (
  storing: (call: number) => StoreCall,
  config: {
    readonly signer?: Signer
    readonly queueMaxSize?: number
    readonly queuePolicy?: "backpressure" | "drop-newest" | "drop-oldest"
    readonly isLeftToOthers?: boolean
  } = {}
) {
  const accounts = yield* Accounts.make
  const stored: Array<RecordStore.Stored> = []
  const batches: Array<number> = []
  const store: RecordStore.Service = {
    kind: "test",
    store: (entries, onStored) => {
      batches.push(entries.length)
      return storing(batches.length)(entries, (entry) => {
        stored.push(entry)
        onStored(entry)
      })
    },
    next: () => Effect.never,
    oldest: Effect.undefined,
    counter: { take: () => Effect.never, pause: () => Effect.never }
  }
  const writer = yield* BatchWriter.make({
    store,
    events: accounts,
    standingOf: (record) => (accounts.standingOf(record) === "new" ? undefined : Exit.void),
    now: () => 5_000,
    config: {
      commitments: true,
      signer: config.signer,
      queueMaxSize: config.queueMaxSize ?? 100,
      queuePolicy: config.queuePolicy ?? "drop-newest"
    },
    isLeftToOthers: config.isLeftToOthers === true
  })
  return { accounts, batches, writer, stored }
})

const all: StoreCall = (entries, onStored) =>
  Effect.sync(() => {
    for (const entry of entries) onStored(entry)
  })

const commitmentOf = ({ record }: RecordStore.Stored) => {
  const { commitment } = SealedBody.read(record.body)
  if (commitment === undefined) throw new Error("no commitment")
  return commitment
}

describe("records that are stored", () => {
  it.effect("are accepted when the store has them, many in one go, in the order of the calls, as one chain", () =>
    Effect.gen(function* () {
      const { accounts, batches, writer, stored } = yield* setUp(() => all)
      yield* Effect.forEach([...Array(50).keys()], (n) => writer.store(recordOf(n)), { concurrency: "unbounded" })
      assert.isBelow(batches.length, 10)
      assert.deepStrictEqual(
        stored.map(({ record }) => JSON.parse(record.body).input.n),
        [...Array(50).keys()]
      )
      const commitments = stored.map(commitmentOf)
      assert.strictEqual(new Set(commitments.map(({ producer }) => producer)).size, 1)
      for (const [index, { previousHash, sequence }] of commitments.entries()) {
        assert.strictEqual(sequence, index + 1)
        assert.strictEqual(previousHash, commitments[index - 1]?.hash ?? null)
      }
      assert.include(accounts.counts(), { accepted: 50, stored: 0 })
      assert.isTrue(stored.every(({ acceptedAt }) => acceptedAt === 5_000))
    })
  )

  it.effect("are done with, where others deliver them", () =>
    Effect.gen(function* () {
      const { accounts, writer } = yield* setUp(() => all, { isLeftToOthers: true })
      yield* writer.store(recordOf(1))
      assert.include(accounts.counts(), { accepted: 1, stored: 1 })
      assert.strictEqual(accounts.unsettled(), 0)
    })
  )

  it.effect("wait until they are, with the very same decision that came at the same time", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { accounts, writer, stored } = yield* setUp(
        () => (entries, onStored) => Effect.andThen(Deferred.await(gate), all(entries, onStored))
      )
      const both = yield* Effect.forkChild(
        Effect.all([writer.store(recordOf(1, "order")), writer.store(recordOf(1, "order"))], {
          concurrency: "unbounded"
        })
      )
      yield* TestClock.adjust("1 second")
      assert.isUndefined(both.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(both)
      assert.lengthOf(stored, 1)
      assert.include(accounts.counts(), { accepted: 1 })
    })
  )
})

describe("a store that fails", () => {
  it.effect("refuses the record and its twin, and the next record begins a chain", () =>
    Effect.gen(function* () {
      const { accounts, writer, stored } = yield* setUp((call) =>
        call === 2 ? () => Effect.fail(unavailable("no")) : all
      )
      yield* writer.store(recordOf(1))
      const refused = yield* Effect.all(
        [Effect.exit(writer.store(recordOf(2, "order"))), Effect.exit(writer.store(recordOf(2, "order")))],
        { concurrency: "unbounded" }
      )
      assert.isTrue(refused.every(Exit.isFailure))
      assert.include(accounts.counts(), { accepted: 1 })
      yield* writer.store(recordOf(2, "order"))
      const [first, second] = stored.map(commitmentOf)
      assert.notStrictEqual(second?.producer, first?.producer)
      assert.deepInclude(second, { sequence: 1, previousHash: null })
      assert.include(accounts.counts(), { accepted: 2 })
    })
  )

  it.effect("in the middle has stored the beginning", () =>
    Effect.gen(function* () {
      const { accounts, writer, stored } = yield* setUp(() => (entries, onStored) => {
        const [first] = entries
        return Effect.andThen(
          Effect.sync(() => {
            if (first !== undefined) onStored(first)
          }),
          Effect.fail(unavailable("perhaps"))
        )
      })
      const exits = yield* Effect.forEach([1, 2, 3], (n) => Effect.exit(writer.store(recordOf(n))), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(exits.map(Exit.isSuccess), [true, false, false])
      assert.lengthOf(stored, 1)
      assert.include(accounts.counts(), { accepted: 1 })
    })
  )

  it.effect("whose answer was lost: a record that was taken from it is accepted", () =>
    Effect.gen(function* () {
      const taken = yield* Deferred.make<ReadonlyArray<RecordStore.Stored>>()
      const lost = yield* Deferred.make<void>()
      const { accounts, writer } = yield* setUp(
        () => (entries) =>
          Effect.andThen(
            Effect.andThen(Deferred.succeed(taken, entries), Deferred.await(lost)),
            Effect.fail(unavailable("perhaps"))
          )
      )
      const storing = yield* Effect.forkChild(writer.store(recordOf(1)))
      const [entry] = yield* Deferred.await(taken)
      if (entry !== undefined) writer.claim(entry)
      yield* Deferred.succeed(lost, undefined)
      yield* Fiber.join(storing)
      assert.include(accounts.counts(), { accepted: 1, adopted: 0 })
    })
  )

  it.effect("whose answer was lost: a record that was refused and turns up later is not an own one", () =>
    Effect.gen(function* () {
      const entries: Array<RecordStore.Stored> = []
      const { accounts, writer } = yield* setUp(() => (batch) => {
        entries.push(...batch)
        return Effect.fail(unavailable("perhaps"))
      })
      yield* Effect.flip(writer.store(recordOf(1)))
      assert.include(accounts.counts(), { accepted: 0 })
      for (const entry of entries) writer.claim(entry)
      assert.include(accounts.counts(), { accepted: 0, adopted: 1 })
    })
  )
})

describe("what does not fit", () => {
  it.effect("waits for room under backpressure, all of it in the end", () =>
    Effect.gen(function* () {
      const { accounts, writer, stored } = yield* setUp(() => all, { queueMaxSize: 2, queuePolicy: "backpressure" })
      yield* Effect.forEach([...Array(50).keys()], (n) => writer.store(recordOf(n)), { concurrency: "unbounded" })
      assert.deepStrictEqual(
        stored.map(({ record }) => JSON.parse(record.body).input.n),
        [...Array(50).keys()]
      )
      assert.include(accounts.counts(), { accepted: 50 })
    })
  )

  it.effect("makes the record that waits longest give way by the policy drop-oldest", () =>
    Effect.gen(function* () {
      const { writer } = yield* setUp(() => () => Effect.never, { queueMaxSize: 2, queuePolicy: "drop-oldest" })
      yield* Effect.forkChild(Effect.exit(writer.store(recordOf(1))))
      yield* TestClock.adjust("1 second")
      const second = yield* Effect.forkChild(Effect.flip(writer.store(recordOf(2))))
      yield* TestClock.adjust("1 second")
      yield* Effect.forkChild(Effect.exit(writer.store(recordOf(3))))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(second), { _tag: "QueueFull", dropped: true })
    })
  )

  it.effect("has an answer when the client closes, though neither store nor signer ever gives one", () =>
    Effect.gen(function* () {
      const hanging: Signer = { keyId: "k", sign: () => Effect.never }
      for (const options of [{}, { signer: hanging }]) {
        const { accounts, writer } = yield* setUp(() => () => Effect.never, options)
        const storing = yield* Effect.forkChild(Effect.flip(writer.store(recordOf(1))))
        yield* TestClock.adjust("1 second")
        const closing = yield* Effect.forkChild(writer.close(Duration.seconds(2)))
        yield* TestClock.adjust("2 seconds")
        yield* Fiber.join(closing)
        const stored = "signer" in options ? "no" : "perhaps"
        assert.deepInclude(yield* Fiber.join(storing), { _tag: "OutboxUnavailable", stored })
        assert.include(accounts.counts(), { accepted: 0 })
        assert.strictEqual(accounts.unsettled(), 0)
      }
    })
  )

  it.effect("is refused when too many wait for the store", () =>
    Effect.gen(function* () {
      const { writer } = yield* setUp(() => () => Effect.never, { queueMaxSize: 2 })
      yield* Effect.forkChild(Effect.all([writer.store(recordOf(1)), writer.store(recordOf(2))], { concurrency: 2 }))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Effect.flip(writer.store(recordOf(3))))._tag, "QueueFull")
    })
  )

  it.effect("is refused when the client closes and the store does not answer", () =>
    Effect.gen(function* () {
      const { writer } = yield* setUp(() => () => Effect.never)
      yield* Effect.forkChild(Effect.exit(writer.store(recordOf(1))))
      yield* TestClock.adjust("1 second")
      const late = yield* Effect.forkChild(Effect.flip(writer.store(recordOf(2))))
      yield* TestClock.adjust("1 second")
      const closing = yield* Effect.forkChild(writer.close(Duration.seconds(2)))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(closing)
      assert.strictEqual((yield* Fiber.join(late))._tag, "QueueClosed")
    })
  )

  it.effect("is refused when it cannot be signed, and the next record begins a chain", () =>
    Effect.gen(function* () {
      let signs = false
      const signer: Signer = {
        keyId: "k",
        sign: () =>
          Effect.suspend(() =>
            signs
              ? Effect.succeed({ keyId: "k", signature: "s" })
              : Effect.fail(new SigningFailed({ keyId: "k", reason: "away" }))
          )
      }
      const { accounts, writer, stored } = yield* setUp(() => all, { signer })
      const refused = yield* Effect.forkChild(Effect.flip(writer.store(recordOf(1))))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(refused))._tag, "SigningFailed")
      signs = true
      yield* writer.store(recordOf(2))
      assert.deepStrictEqual(
        stored.map(commitmentOf).map(({ previousHash }) => previousHash),
        [null]
      )
      assert.include(accounts.counts(), { accepted: 1 })
    })
  )
})
