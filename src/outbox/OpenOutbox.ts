/**
 * An open outbox as delivery sees it: Effect's persisted queue over the engine that the settings name.
 *
 * Loaded when the first record is stored, so that a client without a durable outbox pays for none of it.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { DurableSettings } from "../settings/OutboxSettings.ts"
import type { OutboxUnavailable } from "../XaseError.ts"
import { deadLettersQueue, type OutboxStore, recordsQueue } from "./OutboxEngine.ts"
import { DeadLetter, fromStored, toStored } from "./OutboxEntryJson.ts"
import * as PostgresOutbox from "./PostgresEngine.ts"
import type * as RecordStore from "./RecordStore.ts"
import * as RedisOutbox from "./RedisEngine.ts"
import type { RequestCounter } from "./RequestCounter.ts"
import * as SqliteOutbox from "./SqliteEngine.ts"
import { unavailable } from "./Unavailable.ts"

/** Opens the store of these settings, to deliver from it or only to look at it (`isLooking`). */
export const openStore = (
  settings: DurableSettings,
  isLooking = false
): Effect.Effect<OutboxStore, OutboxUnavailable, Scope.Scope> => {
  switch (settings.kind) {
    case "sqlite":
      return SqliteOutbox.make(settings, isLooking)
    case "redis":
      return RedisOutbox.make(settings)
    case "postgres":
      return PostgresOutbox.make(settings)
  }
}

/** An open outbox. */
export interface OpenOutbox extends RecordStore.Service {
  /** Whether a failure has shown that the store is damaged. */
  readonly isDamaged: () => boolean
  readonly report: OutboxStore["report"]
}

/** Attempts are counted by taking, also by workers that die: no number of them makes a record less worth delivering. */
const maxAttempts = 2 ** 31 - 1

/** When handing over itself failed, for instance because the store was away. */
const retrySchedule = Schedule.spaced("1 second")

/** How long what was delivered stays in a SQL table, and how often it is looked for. */
const cleanupInterval = "5 seconds"

/** Without a count nothing is limited. */
const noCounter: RequestCounter = {
  take: (_, limit) => Effect.succeed(limit),
  pause: () => Effect.succeed({ milliseconds: 0, refused: () => Effect.void })
}

/** Opens the outbox of these settings. */
export const open = Effect.fnUntraced(function* (
  settings: DurableSettings
): Effect.fn.Return<OpenOutbox, OutboxUnavailable, Scope.Scope> {
  const { kind } = settings
  const { care, counter = noCounter, isAmbiguous, isDamage, queues, report, together } = yield* openStore(settings)
  const { make } = yield* Effect.provideService(PersistedQueue.makeFactory, PersistedQueue.PersistedQueueStore, queues)
  const records = yield* make({ name: recordsQueue, schema: Schema.Unknown, maxAttempts, retrySchedule })
  const deadLetters = yield* make({ name: deadLettersQueue, schema: DeadLetter })
  const clean = Effect.ignore(queues.cleanup({ timeToLive: Duration.zero, failedTimeToLive: undefined }))
  if (kind !== "redis") {
    yield* Effect.addFinalizer(() => clean)
    yield* Effect.forkScoped(Effect.repeat(clean, Schedule.spaced(cleanupInterval)))
  }

  const setAside = (record: unknown, reason: string) =>
    Effect.flatMap(Clock.currentTimeMillis, (setAsideAt) => deadLetters.offer({ record, reason, setAsideAt }))

  let isDamaged = false
  const offer = (entry: RecordStore.Stored) => records.offer(toStored(entry))

  return {
    kind,
    store: (entries, onStored) => {
      const told = (entry: RecordStore.Stored) => Effect.sync(() => onStored(entry))
      const all =
        together === undefined
          ? // They go down one connection in this order, without waiting for each other's answers.
            Effect.forEach(entries, (entry) => Effect.tap(offer(entry), told(entry)), {
              concurrency: "unbounded",
              discard: true
            })
          : Effect.tap(together(Effect.forEach(entries, offer, { discard: true })), Effect.forEach(entries, told))
      return Effect.mapError(all, (failure) => {
        if (isDamage(failure)) isDamaged = true
        return unavailable(kind, isAmbiguous ? "perhaps" : "no")(failure)
      })
    },
    next: (deliver) =>
      records
        .take((element) => {
          const stored = fromStored(element)
          if (Result.isFailure(stored)) {
            return Effect.andThen(
              setAside(element, stored.failure),
              Effect.logWarning(`xase: a record of the ${kind} outbox was set aside: ${stored.failure}`)
            )
          }
          return Effect.flatMap(deliver(stored.success), (disposal) =>
            disposal._tag === "DeadLetter" ? setAside(element, disposal.reason) : Effect.void
          )
        })
        .pipe(
          Effect.asVoid,
          // The record stays, and is taken again when its lease has run out.
          Effect.catchCause((cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.interrupt
              : Effect.andThen(
                  Effect.logWarning(
                    `xase: the ${kind} outbox did not let go of a record: ${unavailable(kind)(cause).problem}`
                  ),
                  Effect.sleep("1 second")
                )
          )
        ),
    oldest: Effect.map(care.oldest, (elements) => {
      const times = elements.flatMap(({ element }) => {
        const stored = fromStored(element)
        return Result.isSuccess(stored) ? [stored.success.acceptedAt] : []
      })
      return times.length === 0 ? undefined : Math.min(...times)
    }),
    isDamaged: () => isDamaged,
    counter,
    report
  }
})
