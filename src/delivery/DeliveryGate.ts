/**
 * The one gate before the ledger: while the ledger asks to wait, is down, or refuses the key, nobody sends.
 *
 * When the pause is over a single sender goes ahead as the probe; its answer opens the gate for all or closes it again.
 * Pauses are measured on the monotonic clock, so a clock that jumps neither shortens nor lengthens them.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

/** Why the gate is closed: the ledger named a time or a rate limit, it is down, or it refuses the key or the plan. */
export type ClosedBecause = "rate limited" | "outage" | "refused"

/**
 * The permission to send once. While the gate is open everybody is a `sender`. When a pause is over one sender goes ahead
 * as the `probe`; a `scout` did not wait for that. Probe and scout open a closed gate when the ledger answers.
 */
export interface Pass {
  readonly role: "sender" | "probe" | "scout"
  readonly epoch: number
}

/** The gate as it stands. `failures` counts the probes that failed since it closed. */
export type State<E> =
  | { readonly _tag: "Open" }
  | { readonly _tag: "Closed"; readonly because: ClosedBecause; readonly error: E; readonly failures: number }

/** The one gate before the ledger, for all senders of a client. `E` is the error that closed it. */
export interface DeliveryGate<E> {
  /** Waits until this sender may go. */
  readonly enter: Effect.Effect<Pass>
  /** The pass of a scout, for a caller who wants an answer now whatever the state. */
  readonly scout: () => Pass
  /** Whether the pass still holds: a sender's does not once the gate has closed. */
  readonly isValid: (pass: Pass) => boolean
  /** The ledger answered, so it is there. Tells whether that opened the gate. */
  readonly answered: (pass: Pass) => boolean
  /**
   * Closes the gate, or keeps it closed, for a pause that may depend on how many probes failed. Only a probe may shorten a
   * pause, and a scout changes nothing. Tells whether this is news: the gate was open, or closed for another reason.
   */
  readonly close: (
    pass: Pass,
    because: ClosedBecause,
    error: E,
    pause: (failures: number) => Effect.Effect<Duration.Duration>
  ) => Effect.Effect<boolean>
  /** The holder of the pass gave up before there was an answer. */
  readonly abandon: (pass: Pass) => void
  /** Lets the next probe go at once; what answers to earlier passes say no longer closes the gate. */
  readonly wake: () => void
  readonly state: () => State<E>
  /** How long the pause still lasts; zero when the gate is open. */
  readonly remaining: Effect.Effect<Duration.Duration>
}

interface Closed<E> {
  readonly because: ClosedBecause
  readonly error: E
  readonly failures: number
  /** On the monotonic clock. */
  readonly untilNanos: bigint
  /** The pass of the probe that is on its way. */
  probe: Pass | undefined
}

const open = { _tag: "Open" } as const

/**
 * An open gate. A probe that does not report within `probePatience` counts as lost and another may go: whatever became of
 * it, the gate must not stay closed for ever.
 */
export const make = <E>(probePatience: Duration.Duration): DeliveryGate<E> => {
  let changed = Latch.makeUnsafe(false)
  let closed: Closed<E> | undefined
  let epoch = 0

  /** Passes from before this epoch were sent under circumstances that have changed, with an earlier API key for instance. */
  let wokenAt = 0

  // Opening a latch resumes its waiters there and then; those who have to wait again find a new one.
  const announce = (): void => {
    const before = changed
    changed = Latch.makeUnsafe(false)
    before.openUnsafe()
  }

  const abandon = (pass: Pass): void => {
    if (closed?.probe !== pass) return
    closed.probe = undefined
    announce()
  }

  const enter: Effect.Effect<Pass> = Effect.suspend(() => {
    if (closed === undefined) return Effect.succeed({ role: "sender", epoch })
    const { probe } = closed
    if (probe !== undefined) {
      const lost = Effect.andThen(
        Effect.sleep(probePatience),
        Effect.sync(() => abandon(probe))
      )
      return Effect.andThen(Effect.raceFirst(changed.await, lost), enter)
    }
    const { untilNanos } = closed
    return Clock.clockWith((clock) => {
      const nanos = untilNanos - clock.monotonicTimeNanosUnsafe()
      if (nanos <= 0n) return startProbe
      return Effect.andThen(Effect.raceFirst(clock.sleep(Duration.nanos(nanos)), changed.await), enter)
    })
  })

  const startProbe: Effect.Effect<Pass> = Effect.suspend(() => {
    if (closed === undefined || closed.probe !== undefined) return enter
    closed.probe = { role: "probe", epoch }
    return Effect.succeed(closed.probe)
  })

  return {
    enter,
    scout: () => ({ role: "scout", epoch }),
    isValid: (pass) => pass.role !== "sender" || pass.epoch === epoch,
    answered: (pass) => {
      if (closed === undefined || pass.role === "sender") return false
      closed = undefined
      announce()
      return true
    },
    close: (pass, because, error, pause) =>
      Effect.suspend(() => {
        if (pass.epoch < wokenAt) {
          abandon(pass)
          return Effect.succeed(false)
        }
        if (closed !== undefined && pass.role === "scout") return Effect.succeed(false)
        // A probe of an earlier closing may come back while another is on its way; it is a sender like any other by now.
        const isProbe = closed?.probe === pass
        const failures = (closed?.failures ?? 0) + (isProbe ? 1 : 0)
        return Effect.flatMap(pause(failures), (duration) =>
          Clock.clockWith((clock) =>
            Effect.sync(() => {
              const before = closed
              const until = clock.monotonicTimeNanosUnsafe() + Duration.toNanosUnsafe(duration)
              const isLonger = before !== undefined && !isProbe && before.untilNanos > until
              closed = {
                because,
                error,
                failures,
                untilNanos: isLonger ? before.untilNanos : until,
                probe: isProbe ? undefined : before?.probe
              }
              epoch++
              announce()
              return before?.because !== because
            })
          )
        )
      }),
    abandon,
    wake: () => {
      if (closed === undefined) return
      wokenAt = ++epoch
      closed = { ...closed, untilNanos: 0n }
      announce()
    },
    state: () =>
      closed === undefined
        ? open
        : { _tag: "Closed", because: closed.because, error: closed.error, failures: closed.failures },
    remaining: Clock.clockWith((clock) =>
      Effect.sync(() => {
        const nanos = closed === undefined ? 0n : closed.untilNanos - clock.monotonicTimeNanosUnsafe()
        return nanos > 0n ? Duration.nanos(nanos) : Duration.zero
      })
    )
  }
}
