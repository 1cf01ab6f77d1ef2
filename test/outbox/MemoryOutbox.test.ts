import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Exit, Fiber, type Scope } from "effect"
import type { LedgerRecord } from "../../src/decision/DecisionRecord.ts"
import { type Bounds, makeMemory, type Service } from "../../src/outbox/MemoryOutbox.ts"
import { constants, int, oneOf, seeded } from "../support/arbitraries.ts"
import { record } from "../support/records.ts"

const bounds: Bounds = { queueMaxSize: 3, queueMaxBytes: 100, queuePolicy: "drop-oldest" }

const outboxOf = (over: Partial<Bounds> = {}) => makeMemory({ ...bounds, ...over })

const sized = (byteLength: number): LedgerRecord => record({ byteLength })

const acceptAll = (outbox: Service, records: ReadonlyArray<LedgerRecord>): void => {
  for (const one of records) assert.deepStrictEqual(outbox.offerNow(one), { _tag: "Accepted", evicted: [] })
}

const fork = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Fiber.Fiber<A, E>, never, Scope.Scope> =>
  Effect.forkScoped(effect, { startImmediately: true })

/** Lets every other fiber run until nothing moves. */
const settle = Effect.repeat(Effect.yieldNow, { times: 20 })

const isDone = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.pollUnsafe() !== undefined

describe("taking", () => {
  it.effect("gives the oldest first", () =>
    Effect.gen(function* () {
      const outbox = yield* outboxOf()
      const records = [sized(1), sized(2), sized(3)]
      acceptAll(outbox, records)
      assert.deepStrictEqual(outbox.size(), { records: 3, bytes: 6 })
      for (const one of records) assert.strictEqual(yield* outbox.take, one)
      assert.deepStrictEqual(outbox.size(), { records: 0, bytes: 0 })
    })
  )

  it.effect("waits for a record, and takes it as it comes (R13)", () =>
    Effect.gen(function* () {
      const outbox = yield* outboxOf()
      const taking = yield* fork(outbox.take)
      yield* settle
      assert.isFalse(isDone(taking))
      const first = sized(1)
      acceptAll(outbox, [first])
      assert.strictEqual(yield* Fiber.join(taking), first)
    })
  )

  it.effect("by several: each record goes to one of them, and none waits beside a record", () =>
    Effect.gen(function* () {
      const outbox = yield* outboxOf({ queueMaxSize: 100 })
      const takers = yield* Effect.forEach([1, 2, 3, 4], () => fork(Effect.replicateEffect(outbox.take, 5)))
      yield* settle
      const records = Array.from({ length: 20 }, () => sized(1))
      for (const [index, one] of records.entries()) {
        acceptAll(outbox, [one])
        if (index % 3 === 0) yield* settle
      }
      const taken = (yield* Fiber.joinAll(takers)).flat()
      assert.strictEqual(taken.length, 20)
      assert.sameMembers(taken, records)
      assert.deepStrictEqual(outbox.size(), { records: 0, bytes: 0 })
    })
  )

  it.effect("that is interrupted while it waits has taken nothing", () =>
    Effect.gen(function* () {
      const outbox = yield* outboxOf()
      const taking = yield* fork(Effect.uninterruptible(outbox.take))
      yield* settle
      const first = sized(1)
      acceptAll(outbox, [first])
      const exit = yield* Fiber.interrupt(taking).pipe(Effect.andThen(Fiber.await(taking)))
      const left = yield* outbox.drain
      assert.deepStrictEqual(Exit.isSuccess(exit) ? [exit.value, ...left] : left, [first])
    })
  )
})

describe("a full outbox (R27)", () => {
  it.effect("drop-oldest: hands over what had to leave, oldest first", () =>
    Effect.gen(function* () {
      const outbox = yield* outboxOf()
      const [a, b, c, d] = [sized(40), sized(30), sized(30), sized(60)]
      acceptAll(outbox, [a, b, c])
      assert.deepStrictEqual(outbox.offerNow(d), { _tag: "Accepted", evicted: [a, b] })
      assert.deepStrictEqual(outbox.size(), { records: 2, bytes: 90 })
      assert.deepStrictEqual(yield* outbox.drain, [c, d])
    })
  )

  it.effect.each(["drop-newest", "backpressure"] as const)(
    "%s: says that it is full and changes nothing",
    (queuePolicy) =>
      Effect.gen(function* () {
        for (const records of [
          [sized(1), sized(1), sized(1)],
          [sized(60), sized(40)]
        ]) {
          const outbox = yield* outboxOf({ queuePolicy })
          acceptAll(outbox, records)
          const before = outbox.size()
          assert.deepStrictEqual(outbox.offerNow(sized(1)), { _tag: "Full" })
          assert.deepStrictEqual(outbox.size(), before)
          assert.deepStrictEqual(yield* outbox.drain, records)
        }
      })
  )

  it.effect("counts bytes, to the last one", () =>
    Effect.gen(function* () {
      const outbox = yield* outboxOf({ queuePolicy: "drop-newest", queueMaxSize: 10 })
      acceptAll(outbox, [sized(99), sized(1)])
      assert.deepStrictEqual(outbox.offerNow(sized(1)), { _tag: "Full" })
      yield* outbox.take
      acceptAll(outbox, [sized(99)])
    })
  )

  it.effect("takes a record that is larger than all room when it is alone", () =>
    Effect.gen(function* () {
      for (const queuePolicy of ["drop-oldest", "drop-newest", "backpressure"] as const) {
        const outbox = yield* outboxOf({ queuePolicy })
        acceptAll(outbox, [sized(1_000)])
        assert.deepStrictEqual(outbox.size(), { records: 1, bytes: 1_000 })
      }
    })
  )

  it.effect("says when something left, to everybody who waits, and when it is closed", () =>
    Effect.gen(function* () {
      for (const makeRoom of [
        (outbox: Service) => outbox.take,
        (outbox: Service) => outbox.drain,
        (outbox: Service) => outbox.close
      ]) {
        const outbox = yield* outboxOf({ queuePolicy: "backpressure" })
        acceptAll(outbox, [sized(1), sized(1), sized(1)])
        const waiting = [yield* fork(outbox.room), yield* fork(outbox.room)]
        yield* settle
        assert.deepStrictEqual(waiting.map(isDone), [false, false])
        yield* makeRoom(outbox)
        yield* Fiber.joinAll(waiting)
      }
    })
  )

  it.effect("asks for room anew each time", () =>
    Effect.gen(function* () {
      const outbox = yield* outboxOf({ queuePolicy: "backpressure" })
      acceptAll(outbox, [sized(1), sized(1), sized(1)])
      yield* outbox.take
      acceptAll(outbox, [sized(1)])
      const waiting = yield* fork(outbox.room)
      yield* settle
      assert.isFalse(isDone(waiting))
      yield* outbox.take
      yield* Fiber.join(waiting)
    })
  )
})

describe("a closed outbox", () => {
  it.effect("takes nothing in, gives what it has, then says that it is done", () =>
    Effect.gen(function* () {
      const outbox = yield* outboxOf()
      const records = [sized(1), sized(2)]
      acceptAll(outbox, records)
      yield* outbox.close
      assert.deepStrictEqual(outbox.offerNow(sized(1)), { _tag: "Closed" })
      assert.deepStrictEqual(outbox.size(), { records: 2, bytes: 3 })
      for (const one of records) assert.strictEqual(yield* outbox.take, one)
      assert.strictEqual((yield* Effect.flip(outbox.take))._tag, "Done")
      assert.deepStrictEqual(outbox.size(), { records: 0, bytes: 0 })
      assert.deepStrictEqual(yield* outbox.drain, [])
      yield* outbox.room
    })
  )

  it.effect("ends every taker that waits", () =>
    Effect.gen(function* () {
      const outbox = yield* outboxOf()
      const takers = [yield* fork(Effect.flip(outbox.take)), yield* fork(Effect.flip(outbox.take))]
      yield* settle
      yield* outbox.close
      for (const { _tag } of yield* Fiber.joinAll(takers)) assert.strictEqual(_tag, "Done")
    })
  )

  it.effect("is closed once, however often", () =>
    Effect.gen(function* () {
      const outbox = yield* outboxOf()
      acceptAll(outbox, [sized(1)])
      yield* outbox.close
      yield* outbox.close
      assert.strictEqual((yield* outbox.drain).length, 1)
    })
  )
})

describe("in any order of offers, takes, drains and closings (R24, R27)", () => {
  interface Step {
    readonly what: "offer" | "take" | "drain" | "close"
    readonly bytes: number
  }
  const what = oneOf(
    constants<Step["what"]>("offer", "offer", "offer", "offer", "offer", "take", "take", "take"),
    constants<Step["what"]>("offer", "take", "offer", "take", "offer", "take", "offer", "drain"),
    constants<Step["what"]>("offer", "offer", "offer", "take", "offer", "take", "drain", "close")
  )
  const step: Arbitrary.Arbitrary<Step> = Arbitrary.all({ what, bytes: int(1, 12) })
  const limits: Arbitrary.Arbitrary<Bounds> = Arbitrary.all({
    queueMaxSize: int(1, 6),
    queueMaxBytes: int(10, 40),
    queuePolicy: constants("drop-oldest", "drop-newest", "backpressure")
  })

  it.effect.prop(
    "it is a list that is kept within its bounds",
    { limits, steps: Arbitrary.array(step, { minLength: 10, maxLength: 120 }) },
    ({ limits, steps }) =>
      Effect.gen(function* () {
        const outbox = yield* makeMemory(limits)
        let model: Array<LedgerRecord> = []
        let isClosed = false
        const bytesOf = (records: ReadonlyArray<LedgerRecord>) => records.reduce((sum, one) => sum + one.byteLength, 0)
        const fits = (one: LedgerRecord) =>
          model.length === 0 ||
          (model.length < limits.queueMaxSize && bytesOf(model) + one.byteLength <= limits.queueMaxBytes)
        let offered = 0
        let refused = 0
        let gone = 0
        for (const { bytes, what } of steps) {
          switch (what) {
            case "offer": {
              const one = sized(bytes)
              const offer = outbox.offerNow(one)
              offered++
              if (isClosed || (!fits(one) && limits.queuePolicy !== "drop-oldest")) {
                assert.deepStrictEqual(offer, { _tag: isClosed ? "Closed" : "Full" })
                refused++
                break
              }
              const evicted: Array<LedgerRecord> = []
              while (!fits(one)) evicted.push(...model.splice(0, 1))
              model.push(one)
              gone += evicted.length
              assert.deepStrictEqual(offer, { _tag: "Accepted", evicted })
              break
            }
            case "take": {
              if (model.length > 0) {
                assert.strictEqual(yield* outbox.take, model.shift())
                gone++
              } else if (isClosed) assert.strictEqual((yield* Effect.flip(outbox.take))._tag, "Done")
              break
            }
            case "drain": {
              const drained = yield* outbox.drain
              assert.deepStrictEqual(drained, model)
              gone += model.length
              model = []
              break
            }
            case "close": {
              yield* outbox.close
              isClosed = true
            }
          }
          assert.deepStrictEqual(outbox.size(), { records: model.length, bytes: bytesOf(model) })
          assert.strictEqual(offered, refused + gone + model.length)
          assert.isTrue(model.length <= 1 || bytesOf(model) <= limits.queueMaxBytes)
        }
      }),
    seeded(500)
  )

  it.effect.prop(
    "with takers that wait, are interrupted and begin again, nothing is lost, doubled or out of order",
    { steps: Arbitrary.array(constants("offer", "offer", "taker", "interrupt", "yield"), { maxLength: 80 }) },
    ({ steps }) =>
      Effect.scoped(
        Effect.gen(function* () {
          const outbox = yield* outboxOf({ queueMaxSize: 1_000, queueMaxBytes: 1_000 })
          const offered: Array<LedgerRecord> = []
          const taken: Array<LedgerRecord> = []
          const takers: Array<Fiber.Fiber<void, unknown>> = []
          const taker = Effect.map(outbox.take, (one) => {
            taken.push(one)
          }).pipe(Effect.uninterruptible)
          for (const step of steps) {
            switch (step) {
              case "offer": {
                const one = sized(1)
                offered.push(one)
                acceptAll(outbox, [one])
                break
              }
              case "taker":
                takers.push(yield* fork(taker))
                break
              case "interrupt": {
                const oldest = takers.shift()
                if (oldest !== undefined) yield* Fiber.interrupt(oldest)
                break
              }
              case "yield":
                yield* Effect.yieldNow
            }
          }
          yield* settle
          const isSomebodyWaiting = takers.some((fiber) => !isDone(fiber))
          assert.isFalse(isSomebodyWaiting && outbox.size().records > 0)
          assert.deepStrictEqual([...taken, ...(yield* outbox.drain)], offered)
        })
      ),
    seeded(300)
  )
})
