import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { type ClosedBecause, type DeliveryGate, make, type Pass } from "../../src/delivery/DeliveryGate.ts"

const newGate = (): DeliveryGate<string> => make<string>(Duration.days(30))

const pauseOf = (duration: Duration.Input) => () => Effect.succeed(Duration.fromInputUnsafe(duration))

const sender: Pass = { role: "sender", epoch: 0 }

const close = (
  gate: DeliveryGate<string>,
  duration: Duration.Input,
  { pass = sender, because = "outage" }: { readonly pass?: Pass; readonly because?: ClosedBecause } = {}
) => gate.close(pass, because, because, pauseOf(duration))

interface Entered {
  readonly at: number
  readonly pass: Pass
}

/** Forks `count` senders; gives what they got so far, and the fibers. */
const senders = Effect.fnUntraced(function* (gate: DeliveryGate<string>, count: number) {
  const entered: Array<Entered> = []
  const enter = Effect.flatMap(gate.enter, (pass) =>
    Effect.map(Clock.currentTimeMillis, (at) => {
      entered.push({ at, pass })
      return pass
    })
  )
  const fibers: Array<Fiber.Fiber<Pass>> = []
  for (let n = 0; n < count; n++) fibers.push(yield* Effect.forkScoped(enter, { startImmediately: true }))
  return { entered, fibers }
})

const times = (entered: ReadonlyArray<Entered>): ReadonlyArray<number> => entered.map(({ at }) => at)

const passOf = (entered: ReadonlyArray<Entered>, index: number): Pass => entered[index]?.pass ?? assert.fail()

const settle = Effect.repeat(Effect.yieldNow, { times: 20 })

describe("an open gate", () => {
  it.effect("lets everybody go at once", () =>
    Effect.gen(function* () {
      const gate = newGate()
      const { entered } = yield* senders(gate, 5)
      assert.deepStrictEqual(
        entered.map(({ pass }) => pass.role),
        Array(5).fill("sender")
      )
      assert.deepStrictEqual(gate.state(), { _tag: "Open" })
      assert.isTrue(Duration.isZero(yield* gate.remaining))
    })
  )

  it.effect("stays open whatever is answered, abandoned or woken", () =>
    Effect.gen(function* () {
      const gate = newGate()
      const pass = yield* gate.enter
      assert.isFalse(gate.answered(pass))
      gate.abandon(pass)
      gate.wake()
      assert.isTrue(gate.isValid(pass))
      assert.deepStrictEqual(gate.state(), { _tag: "Open" })
    })
  )
})

describe("closing", () => {
  it.effect("makes the passes of senders void, those of probe and scout not", () =>
    Effect.gen(function* () {
      const gate = newGate()
      const before = yield* gate.enter
      yield* close(gate, "1 second", { pass: before })
      assert.isFalse(gate.isValid(before))
      assert.isTrue(gate.isValid(gate.scout()))
      yield* TestClock.adjust("1 second")
      const probe = yield* gate.enter
      assert.isTrue(gate.isValid(probe))
      assert.strictEqual(probe.role, "probe")
    })
  )

  it.effect("is news when the gate was open, or closed for another reason", () =>
    Effect.gen(function* () {
      const gate = newGate()
      assert.isTrue(yield* close(gate, 10, { because: "outage" }))
      assert.isFalse(yield* close(gate, 10, { because: "outage" }))
      assert.isTrue(yield* close(gate, 10, { because: "rate limited" }))
      assert.isTrue(yield* close(gate, 10, { because: "refused" }))
      assert.deepStrictEqual(gate.state(), { _tag: "Closed", because: "refused", error: "refused", failures: 0 })
    })
  )

  it.effect("by a sender never shortens the pause, but may lengthen it", () =>
    Effect.gen(function* () {
      const gate = newGate()
      yield* close(gate, "10 seconds")
      yield* close(gate, "1 second")
      assert.strictEqual(Duration.toMillis(yield* gate.remaining), 10_000)
      yield* close(gate, "20 seconds")
      assert.strictEqual(Duration.toMillis(yield* gate.remaining), 20_000)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(Duration.toMillis(yield* gate.remaining), 15_000)
      yield* TestClock.adjust("1 minute")
      assert.isTrue(Duration.isZero(yield* gate.remaining))
    })
  )

  it.effect("holds those who wait until the lengthened pause is over", () =>
    Effect.gen(function* () {
      const gate = newGate()
      yield* close(gate, "1 second")
      const { entered } = yield* senders(gate, 2)
      yield* TestClock.adjust("900 millis")
      yield* close(gate, "5 seconds")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(times(entered), [5_900])
    })
  )
})

describe("probing (R14)", () => {
  it.effect("lets one sender go when the pause is over, and the rest only when it was answered", () =>
    Effect.gen(function* () {
      const gate = newGate()
      yield* close(gate, "1 second")
      const { entered, fibers } = yield* senders(gate, 50)
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(times(entered), [])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(times(entered), [1_000])
      assert.isTrue(gate.answered(passOf(entered, 0)))
      yield* Fiber.joinAll(fibers)
      assert.deepStrictEqual(times(entered), [1_000, ...Array(49).fill(60_999)])
      assert.isTrue(entered.slice(1).every(({ pass }) => pass.role === "sender" && gate.isValid(pass)))
      assert.deepStrictEqual(gate.state(), { _tag: "Open" })
    })
  )

  it.effect("one at a time, each after the pause that the failures before it ask for", () =>
    Effect.gen(function* () {
      const gate = newGate()
      const pause = (failures: number) => Effect.succeed(Duration.seconds(2 ** failures))
      yield* gate.close(sender, "outage", "e", pause)
      const { entered } = yield* senders(gate, 50)
      for (let failure = 0; failure < 5; failure++) {
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(entered.length, failure + 1)
        assert.isFalse(yield* gate.close(passOf(entered, failure), "outage", "e", pause))
      }
      const state = gate.state()
      assert.strictEqual(state._tag === "Closed" ? state.failures : 0, 5)
      // Each probe failed an hour after it began, so each pause begins on the hour.
      const hour = 3_600_000
      assert.deepStrictEqual(times(entered), [
        1_000,
        hour + 2_000,
        2 * hour + 4_000,
        3 * hour + 8_000,
        4 * hour + 16_000
      ])
    })
  )

  it.effect("may shorten the pause: the ledger is asked again when it says", () =>
    Effect.gen(function* () {
      const gate = newGate()
      yield* close(gate, "1 minute")
      gate.wake()
      const probe = yield* gate.enter
      yield* close(gate, "2 seconds", { pass: probe })
      assert.strictEqual(Duration.toMillis(yield* gate.remaining), 2_000)
    })
  )

  it.effect("goes on with the next one when the probe is abandoned", () =>
    Effect.gen(function* () {
      const gate = newGate()
      yield* close(gate, "1 second")
      const { entered } = yield* senders(gate, 3)
      yield* TestClock.adjust("1 second")
      gate.abandon(passOf(entered, 0))
      yield* settle
      assert.strictEqual(entered.length, 2)
      gate.abandon(passOf(entered, 0))
      yield* settle
      assert.strictEqual(entered.length, 2)
      gate.abandon(passOf(entered, 1))
      yield* settle
      assert.deepStrictEqual(
        entered.map(({ pass }) => pass.role),
        ["probe", "probe", "probe"]
      )
    })
  )

  it.effect("is not disturbed by senders from before the closing", () =>
    Effect.gen(function* () {
      const gate = newGate()
      const old = yield* gate.enter
      yield* close(gate, "1 second")
      const { entered } = yield* senders(gate, 3)
      yield* TestClock.adjust("1 second")
      assert.isFalse(gate.answered(old))
      gate.abandon(old)
      yield* close(gate, 0, { pass: old })
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(entered.length, 1)
      assert.isTrue(gate.answered(passOf(entered, 0)))
      yield* settle
      assert.strictEqual(entered.length, 3)
    })
  )

  it.effect("is not disturbed by the probe of an earlier closing that comes back late", () =>
    Effect.gen(function* () {
      const gate = newGate()
      yield* close(gate, "1 second")
      yield* TestClock.adjust("1 second")
      const late = yield* gate.enter
      assert.isTrue(gate.answered(gate.scout()))
      yield* close(gate, "1 second")
      yield* TestClock.adjust("1 second")
      const { entered } = yield* senders(gate, 3)
      assert.strictEqual(entered.length, 1)
      gate.abandon(late)
      yield* settle
      assert.strictEqual(entered.length, 1)
      yield* close(gate, 0, { pass: late })
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(entered.length, 1)
      const state = gate.state()
      assert.strictEqual(state._tag === "Closed" ? state.failures : -1, 0)
    })
  )

  it.effect("a waiter that is interrupted takes no place", () =>
    Effect.gen(function* () {
      const gate = newGate()
      yield* close(gate, "1 second")
      const { entered, fibers } = yield* senders(gate, 3)
      for (const fiber of fibers.slice(0, 2)) yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(entered.length, 1)
    })
  )

  it.effect("a waiter with a deadline that ends with the pause is the probe or is not, but blocks nobody", () =>
    Effect.gen(function* () {
      for (const lateness of [-1, 0, 1]) {
        const gate = newGate()
        yield* close(gate, 500)
        const within = yield* Effect.forkScoped(Effect.timeoutOption(gate.enter, 1_000), { startImmediately: true })
        yield* TestClock.adjust(400)
        // The sleep of the waiter now begins after that of its deadline.
        yield* close(gate, 600 + lateness)
        yield* TestClock.adjust("1 minute")
        const pass = yield* Fiber.join(within)
        if (pass._tag === "Some") gate.abandon(pass.value)
        const { entered } = yield* senders(gate, 1)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(entered.length, 1)
      }
    })
  )
})

describe("waking", () => {
  it.effect("lets one probe go at once, however long the pause (R16)", () =>
    Effect.gen(function* () {
      const gate = newGate()
      yield* close(gate, "1 day")
      const { entered } = yield* senders(gate, 10)
      yield* TestClock.adjust("1 hour")
      gate.wake()
      yield* settle
      assert.deepStrictEqual(times(entered), [3_600_000])
      assert.isTrue(Duration.isZero(yield* gate.remaining))
    })
  )

  it.effect("while a probe is on its way does not send a second one", () =>
    Effect.gen(function* () {
      const gate = newGate()
      yield* close(gate, "1 second")
      const { entered } = yield* senders(gate, 10)
      yield* TestClock.adjust("1 second")
      gate.wake()
      yield* settle
      assert.strictEqual(entered.length, 1)
      yield* close(gate, "1 second", { pass: passOf(entered, 0) })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(entered.length, 2)
    })
  )
})

describe("a probe that was under way when the gate was woken", () => {
  it.effect("does not close it again: the next probe goes at once", () =>
    Effect.gen(function* () {
      const gate = newGate()
      yield* close(gate, "1 second", { because: "refused" })
      const { entered } = yield* senders(gate, 2)
      yield* TestClock.adjust("1 second")
      gate.wake()
      assert.isFalse(yield* close(gate, "1 day", { because: "refused", pass: passOf(entered, 0) }))
      yield* settle
      assert.strictEqual(entered.length, 2)
      assert.isTrue(gate.answered(passOf(entered, 1)))
      assert.deepStrictEqual(gate.state(), { _tag: "Open" })
    })
  )
})

describe("a scout", () => {
  it.effect("opens a closed gate when it is answered, and then is nobody special", () =>
    Effect.gen(function* () {
      const gate = newGate()
      yield* close(gate, "1 day")
      const { entered } = yield* senders(gate, 3)
      const scout = gate.scout()
      assert.isTrue(gate.answered(scout))
      assert.isFalse(gate.answered(scout))
      yield* settle
      assert.strictEqual(entered.length, 3)
    })
  )

  it.effect("changes nothing of a closed gate when it fails or gives up", () =>
    Effect.gen(function* () {
      const gate = newGate()
      yield* close(gate, "10 seconds")
      const scout = gate.scout()
      assert.isFalse(yield* close(gate, "1 day", { pass: scout, because: "refused" }))
      gate.abandon(scout)
      const state = gate.state()
      assert.strictEqual(state._tag === "Closed" ? state.because : "", "outage")
      assert.strictEqual(Duration.toMillis(yield* gate.remaining), 10_000)
    })
  )

  it.effect("closes an open one", () =>
    Effect.gen(function* () {
      const gate = newGate()
      assert.isTrue(yield* close(gate, "1 second", { pass: gate.scout() }))
      assert.strictEqual(gate.state()._tag, "Closed")
    })
  )
})

describe("a clock that jumps", () => {
  it.effect.each(["-1 hour", "1 day"] as const)("by %s neither shortens nor lengthens a pause", (jump) =>
    Effect.gen(function* () {
      const clock = yield* Clock.clockWith(Effect.succeed)
      let offset = 0
      const millis = () => clock.currentTimeMillisUnsafe() + offset
      const nanos = () => BigInt(millis()) * 1_000_000n
      // The wall clock jumps; the monotonic clock and sleeping, which hangs on it, do not.
      const jumping: Clock.Clock = {
        ...clock,
        currentTimeMillisUnsafe: millis,
        currentTimeMillis: Effect.sync(millis),
        currentTimeNanosUnsafe: nanos,
        currentTimeNanos: Effect.sync(nanos)
      }
      yield* Effect.gen(function* () {
        const gate = newGate()
        yield* close(gate, "10 seconds")
        const { entered } = yield* senders(gate, 2)
        yield* TestClock.adjust("5 seconds")
        offset = jump === "1 day" ? 86_400_000 : -3_600_000
        assert.strictEqual(Duration.toMillis(yield* gate.remaining), 5_000)
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual(entered.length, 0)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(entered.length, 1)
      }).pipe(Effect.provideService(Clock.Clock, jumping))
    })
  )
})

describe("a probe that never reports", () => {
  it.effect("counts as lost after a while, so that another may go", () =>
    Effect.gen(function* () {
      const gate = make<string>(Duration.seconds(30))
      yield* close(gate, "1 second")
      const { entered } = yield* senders(gate, 3)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(times(entered), [1_000])
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(entered.length, 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(times(entered), [1_000, 31_000])
      assert.isTrue(gate.answered(passOf(entered, 1)))
    })
  )
})
