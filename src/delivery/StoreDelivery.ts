/**
 * Delivers what is in a durable outbox, whoever accepted it: takes the oldest record, sends it, lets it leave the store.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type { Receipt } from "../contract/Receipt.ts"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import type { LedgerSearch } from "../ledger/LedgerSearch.ts"
import type { Disposal, Service as RecordStore, Stored } from "../outbox/RecordStore.ts"
import { type DeliveryError, PastIdempotencyWindow } from "../XaseError.ts"
import type { Accounts } from "./Settlement.ts"

/** What it works with. */
export interface Parts {
  readonly store: RecordStore
  readonly accounts: Accounts
  readonly search: LedgerSearch
  readonly concurrency: number
  /** How long the ledger knows a key: a record that is older is looked up before it is sent. */
  readonly idempotencyWindow: Duration.Duration
  /** Enters a record that was taken into the books. */
  readonly claim: (entry: Stored) => void
  /** Sends a record, patiently. */
  readonly send: (record: LedgerRecord) => Effect.Effect<Receipt, DeliveryError>
  /** Runs a delivery, which alone can be interrupted, to its end. */
  readonly running: (
    record: LedgerRecord,
    delivery: Effect.Effect<Receipt, DeliveryError>,
    ended: (exit: Exit.Exit<Receipt, DeliveryError>) => void
  ) => Effect.Effect<Receipt, DeliveryError>
  /** Settles a record in the books. */
  readonly settle: (record: LedgerRecord, exit: Exit.Exit<Receipt, DeliveryError>) => void
}

/** The workers that deliver what is in a durable outbox. */
export interface StoreDelivery {
  /** Takes no more and waits until what is in flight has left the store. */
  readonly stop: Effect.Effect<void>
  /** Gives back what is still in flight; a store that is away gets it when the lease is over. */
  readonly giveBack: Effect.Effect<void>
}

const done: Disposal = { _tag: "Done" }

/** How long giving back may take. */
const giveBackTimeout = "500 millis"

/** Starts the workers; they end with {@link StoreDelivery.giveBack}. */
export const start = Effect.fnUntraced(function* (parts: Parts): Effect.fn.Return<StoreDelivery> {
  const { accounts, search, store } = parts
  const clock = yield* Clock.Clock
  const held = new Set<string>()
  let isStopping = false
  /** Workers that have a record, from taking it to its leaving the store; `idle` is open while there are none. */
  let busy = 0
  const idle = yield* Latch.make(true)

  /** A record whose key the ledger may have forgotten is looked up first: sending it blindly could record it twice. */
  const lookUp = (record: LedgerRecord, acceptedAt: number): Effect.Effect<Receipt, DeliveryError> =>
    Effect.flatMap(search.find(record, acceptedAt), (finding): Effect.Effect<Receipt, DeliveryError> => {
      switch (finding._tag) {
        case "Recorded":
          return Effect.succeed(finding.receipt)
        case "NotRecorded":
          return parts.send(record)
        case "Unknown":
          return Effect.fail(
            new PastIdempotencyWindow({ idempotencyKey: record.idempotencyKey, reason: finding.reason })
          )
      }
    })

  const deliver = (entry: Stored): Effect.Effect<Disposal> =>
    Effect.suspend(() => {
      const { acceptedAt, record } = entry
      const { idempotencyKey } = record
      // A worker that was frozen beyond its lease may find its own record in the store again.
      if (held.has(idempotencyKey)) accounts.adopt(record)
      else parts.claim(entry)
      held.add(idempotencyKey)
      const age = clock.currentTimeMillisUnsafe() - acceptedAt
      const isOld = age > Duration.toMillis(parts.idempotencyWindow)
      const delivery = isOld ? lookUp(record, acceptedAt) : parts.send(record)
      const ended = (exit: Exit.Exit<Receipt, DeliveryError>): void => {
        held.delete(idempotencyKey)
        if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) accounts.release(record)
        else parts.settle(record, exit)
      }
      return Effect.matchEffect(parts.running(record, delivery, ended), {
        onSuccess: () => Effect.succeed(done),
        onFailure: (error): Effect.Effect<Disposal> => Effect.succeed({ _tag: "DeadLetter", reason: error.message })
      })
    })

  const deliverNext = Effect.suspend(() => {
    if (isStopping) return Effect.never
    let isBusy = false
    const taken = store.next((entry) =>
      Effect.suspend(() => {
        isBusy = true
        if (++busy === 1) idle.closeUnsafe()
        // Taken while everything stops: it goes back to where it was.
        return isStopping ? Effect.interrupt : Effect.uninterruptible(deliver(entry))
      })
    )
    return Effect.ensuring(
      taken,
      Effect.sync(() => {
        if (isBusy && --busy === 0) idle.openUnsafe()
      })
    )
  })

  const worker = Effect.forever(deliverNext, { disableYield: true })
  const workers: Array<Fiber.Fiber<void>> = []
  // Detached: a worker that cannot hand its record over to a store that is gone must not hold up the end.
  for (let index = 0; index < parts.concurrency; index++) workers.push(yield* Effect.forkDetach(worker))

  return {
    stop: Effect.suspend(() => {
      isStopping = true
      return idle.await
    }),
    giveBack: Effect.ignore(Effect.interruptible(Effect.timeout(Fiber.interruptAll(workers), giveBackTimeout)))
  }
})
