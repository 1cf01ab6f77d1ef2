/**
 * A durable outbox over its whole life: opened with the first record, opened again when it was damaged, waited for when it
 * is away.
 *
 * Making it does nothing yet and so cannot fail: a client is made at once, in any face of the SDK, and a store that is not
 * there says so where it matters, in the answer of `record`.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { DurableSettings } from "../settings/OutboxSettings.ts"
import { XaseConfig } from "../settings/XaseConfig.ts"
import { OutboxUnavailable } from "../XaseError.ts"
import type { OpenOutbox } from "./OpenOutbox.ts"
import * as RecordStore from "./RecordStore.ts"

interface Opened {
  readonly outbox: OpenOutbox
  readonly scope: Scope.Closeable
  /** Done when the store turns out to be damaged: whoever waits in it waits in vain. */
  readonly lost: Deferred.Deferred<void>
}

/** How often workers try to open a store that is away. */
const reopening = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("10 seconds")])

/** Longer than any engine should need to store a few records. */
const storeTimeout = "10 seconds"

/** The outbox of these settings, closed with the scope. */
export const make = Effect.fnUntraced(function* (
  settings: DurableSettings
): Effect.fn.Return<RecordStore.Service, never, Scope.Scope> {
  const { kind } = settings
  const scope = yield* Scope.Scope
  // Who calls first must not lend its clock and its loggers to all that comes later.
  const context = yield* Effect.context<never>()
  const opening = yield* Semaphore.make(1)
  let current: Opened | undefined
  let isAway = false

  // The engines and their drivers log much, at each attempt; what matters is said here, once for each change.
  const open: Effect.Effect<Opened, OutboxUnavailable> = Effect.gen(function* () {
    const engines = yield* Effect.promise(() => import("./OpenOutbox.ts"))
    const own = yield* Scope.fork(scope)
    const outbox = yield* engines.open(settings).pipe(
      Effect.provideService(Logger.CurrentLoggers, new Set()),
      Scope.provide(own),
      Effect.onError(() => Scope.close(own, Exit.void))
    )
    if (outbox.report !== undefined) yield* Effect.logWarning(`xase: ${outbox.report}`)
    current = { outbox, scope: own, lost: yield* Deferred.make<void>() }
    return current
  }).pipe(Effect.provideContext(context))

  const opened: Effect.Effect<Opened, OutboxUnavailable> = Effect.suspend(() =>
    current !== undefined
      ? Effect.succeed(current)
      : opening.withPermit(
          Effect.suspend(() =>
            // Not a child of whoever asked first, who may go away.
            current !== undefined ? Effect.succeed(current) : Effect.flatMap(Effect.forkIn(open, scope), Fiber.join)
          )
        )
  )

  const say = (line: string) => Effect.provideContext(Effect.logWarning(line), context)

  const noteAway = (error: OutboxUnavailable): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (isAway) return Effect.void
      isAway = true
      return say(`xase: ${error.message}`)
    })

  const noteBack: Effect.Effect<void> = Effect.suspend(() => {
    if (!isAway) return Effect.void
    isAway = false
    return say(`xase: the ${kind} outbox is available again`)
  })

  const giveUp = (lost: Opened): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (current === lost) current = undefined
      return Effect.andThen(Deferred.succeed(lost.lost, undefined), Scope.close(lost.scope, Exit.void))
    })

  /** Opening and storing each have a deadline: the caller of `record` waits for both. */
  const inTime = <A>(effect: Effect.Effect<A, OutboxUnavailable>, stored: "no" | "perhaps") =>
    Effect.timeoutOrElse(effect, {
      duration: storeTimeout,
      orElse: () =>
        Effect.fail(
          new OutboxUnavailable({
            outbox: kind,
            problem: `it did not answer within ${storeTimeout}`,
            fix: "Find out what holds it up.",
            stored
          })
        )
    })

  const storeOnce = (
    entries: ReadonlyArray<RecordStore.Stored>,
    onStored: (entry: RecordStore.Stored) => void
  ): Effect.Effect<void, OutboxUnavailable> =>
    inTime(opened, "no").pipe(
      Effect.flatMap((now) =>
        Effect.tapError(inTime(now.outbox.store(entries, onStored), "perhaps"), () =>
          now.outbox.isDamaged() ? giveUp(now) : Effect.void
        )
      )
    )

  return {
    kind,
    store: (entries, onStored) =>
      Effect.suspend(() => {
        const before = current
        return Effect.catch(storeOnce(entries, onStored), (error) => {
          // It has been given up as damaged, and a new one can be opened.
          const isReplaceable = before !== undefined && current === undefined && error.stored === "no"
          return isReplaceable ? storeOnce(entries, onStored) : Effect.fail(error)
        })
      }).pipe(Effect.tapError(noteAway), Effect.tap(noteBack)),
    next: (deliver) =>
      opened.pipe(
        Effect.tapError(noteAway),
        Effect.retry(reopening),
        Effect.orDie,
        Effect.tap(noteBack),
        Effect.flatMap(({ lost, outbox }) =>
          // Only a file can be lost from under its process, and racing costs.
          kind === "sqlite" ? Effect.raceFirst(outbox.next(deliver), Deferred.await(lost)) : outbox.next(deliver)
        )
      ),
    oldest: Effect.flatMap(opened, ({ outbox }) => outbox.oldest),
    counter: {
      take: (...request) => Effect.flatMap(opened, ({ outbox }) => outbox.counter.take(...request)),
      pause: (name) => Effect.flatMap(opened, ({ outbox }) => outbox.counter.pause(name))
    }
  }
})

/** The durable outbox of the settings, or none. */
export const layer: Layer.Layer<RecordStore.RecordStore, never, XaseConfig> = Layer.effect(
  RecordStore.RecordStore,
  Effect.flatMap(XaseConfig, ({ outbox }) => (outbox.kind === "memory" ? Effect.undefined : make(outbox)))
)
