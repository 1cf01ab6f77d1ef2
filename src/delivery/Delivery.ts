/**
 * Moves records from the outbox to the ledger: scoped background fibers, exactly one outcome per record.
 *
 * An accepted record is pending (in the outbox), in flight (a fiber has it) or settled, at every moment; `stats` shows the
 * sum. Delivery itself never fails: what goes wrong with a record is its outcome. When its scope closes it takes no more,
 * delivers what it can within the shutdown deadline, and settles the rest as dropped.
 *
 * With a durable outbox the record is safe before it is accepted, what is left at the end stays stored, and records that
 * others accepted are delivered too. Those of `recordNow`, and those that the store could not take, go through memory.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as PubSub from "effect/PubSub"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Receipt } from "../contract/Receipt.ts"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import { Ledger } from "../ledger/Ledger.ts"
import * as LedgerSearch from "../ledger/LedgerSearch.ts"
import { Outbox } from "../outbox/MemoryOutbox.ts"
import { RecordStore } from "../outbox/RecordStore.ts"
import { type Settings, XaseConfig } from "../settings/XaseConfig.ts"
import {
  type DeliveryError,
  type FlushTimeout,
  MaxRetriesExceeded,
  QueueClosed,
  QueueFull,
  RequestTimeout
} from "../XaseError.ts"
import type { AcceptError, Accepting } from "./Acceptance.ts"
import * as Acceptance from "./Acceptance.ts"
import type * as DeliveryGate from "./DeliveryGate.ts"
import * as InFlight from "./InFlight.ts"
import { Journal } from "./Journal.ts"
import * as Metrics from "./Metrics.ts"
import * as Outcome from "./Outcome.ts"
import * as Sealing from "./Sealing.ts"
import * as Sender from "./Sender.ts"
import * as Accounts from "./Settlement.ts"
import * as StoreDelivery from "./StoreDelivery.ts"

/** What delivery is doing; all but `flowing` mean that records are held. */
export type DeliveryState = "flowing" | DeliveryGate.ClosedBecause

/**
 * A count of every decision that was accepted. At every moment
 * `accepted + adopted = delivered + failed + dropped (all reasons) + stored + pending + inFlight`; `adopted` and `stored` are
 * 0 without a durable outbox.
 */
export interface Stats extends Accounts.Counts {
  readonly pending: number
  readonly inFlight: number
  /** Bytes of JSON that wait in memory. */
  readonly pendingBytes: number
  /** Calls of `record` for a decision that was under way already, with the same key; they were not accepted again. */
  readonly joined: number
  /** Attempts after the first one of a record. */
  readonly retries: number
  readonly state: DeliveryState
  readonly closed: boolean
}

/** Accepts records and delivers them to the ledger in the background, each with exactly one outcome. */
export interface Service {
  /** Takes a record in without waiting. */
  readonly acceptNow: (record: LedgerRecord) => Result.Result<Acceptance.Acceptance, AcceptError>
  /** Takes a record in: waits until it is stored, or under `backpressure` for room in the order of the calls. */
  readonly accept: (record: LedgerRecord) => Effect.Effect<void, AcceptError>
  /** Sends a record past the outbox and waits for its receipt. */
  readonly deliverNow: (record: LedgerRecord) => Effect.Effect<Receipt, DeliveryError | AcceptError>
  /** Waits until everything that was accepted before has settled. */
  readonly flush: (timeout: Duration.Duration) => Effect.Effect<void, FlushTimeout>
  readonly stats: () => Stats
  /** Outcomes from now on. A subscriber that falls `Accounts.outcomesCapacity` behind misses the oldest. */
  readonly outcomes: PubSub.PubSub<Outcome.Outcome>
  /**
   * Takes no more, delivers what waits within `shutdownTimeout` and settles the rest as dropped; nothing is sent after it.
   * The scope's closing does the same; doing it twice does it once.
   */
  readonly close: Effect.Effect<void>
  /** Tries again at once, after something was changed that had stopped delivery. */
  readonly wake: Effect.Effect<void>
}

/** The delivery of the surrounding client. */
export class Delivery extends Context.Service<Delivery, Service>()("xase-sdk/Delivery") {}

/** Starts the workers that deliver what waits in memory. */
const startWorkers = Effect.fnUntraced(function* (
  outbox: Outbox["Service"],
  concurrency: number,
  deliver: (record: LedgerRecord) => Effect.Effect<Receipt, DeliveryError>
): Effect.fn.Return<ReadonlyArray<Fiber.Fiber<void>>, never, Scope.Scope> {
  const context = yield* Effect.context<never>()
  const deliverNext = Effect.flatMap(outbox.take, (record) => {
    Metrics.queueDepth.updateUnsafe(outbox.size().records, context)
    return deliver(record)
  }).pipe(Effect.catchIf(isNotDone, () => Effect.void))
  const worker = deliverNext.pipe(Effect.uninterruptible, Effect.forever({ disableYield: true }), Effect.ignore)
  const workers: Array<Fiber.Fiber<void>> = []
  for (let index = 0; index < concurrency; index++) workers.push(yield* Effect.forkScoped(worker))
  return workers
})

/**
 * Waits until nothing is left in the durable outbox that was there at the beginning, then leaves the own records up to a
 * place to the clients that delivered them. Ends at once without a durable outbox.
 */
const untilStoreIsEmptied = Effect.fnUntraced(function* (
  store: RecordStore["Service"],
  settlement: Accounts.Accounts,
  clock: Clock.Clock,
  upTo: number
) {
  if (store === undefined) return
  const began = clock.currentTimeMillisUnsafe()
  while (true) {
    yield* Effect.sleep(watchInterval)
    const oldest = yield* Effect.timeoutOption(store.oldest, oldestTimeout).pipe(
      Effect.map(Option.getOrElse(() => began)),
      Effect.catch(() => Effect.succeed(began))
    )
    if (oldest === undefined || oldest > began) return settlement.handOverUpTo(upTo)
  }
})

const receiptOf = (outcome: Outcome.Outcome): Effect.Effect<Receipt, DeliveryError | AcceptError> => {
  switch (outcome._tag) {
    case "Delivered":
      return Effect.succeed(outcome.receipt)
    case "Failed":
      return Effect.fail(outcome.error)
    case "Dropped":
      return Effect.fail(
        outcome.reason === "QueueFull"
          ? new QueueFull({ dropped: true })
          : new QueueClosed({ started: outcome.started })
      )
  }
}

/** The parts that the calls of a client share. */
interface Parts {
  readonly config: Settings
  readonly settlement: Accounts.Accounts
  readonly accepting: Accepting
  readonly inFlight: InFlight.InFlight
  readonly sealing: Sealing.Sealing
  readonly sender: Sender.Sender
  /** Done when nothing may be sent any more. */
  readonly stopped: Deferred.Deferred<void>
  /** Leaves to others what they delivered; goes on until it is interrupted. */
  readonly watchStore: Effect.Effect<never>
}

/** Sends records whose callers wait, past the outbox. */
const deliveringNow = (parts: Parts): Service["deliverNow"] => {
  const { accepting, config, inFlight, sealing, sender, settlement, stopped } = parts

  /** Ends with the client, with the receipt if there is one by then. */
  const deliverUntilStopped = (record: LedgerRecord): Effect.Effect<Receipt, DeliveryError> =>
    Effect.suspend(() => {
      let settled: Exit.Exit<Receipt, DeliveryError> | undefined
      const sending = Effect.suspend(() => {
        settlement.enter(record)
        const delivery = sealing.sealed(record, sender.deliverNow(record), Sealing.signingRetries)
        return inFlight.run(record, delivery, (exit) => {
          settled = exit
          inFlight.settle(record, exit, "Interrupted")
        })
      })
      const stopping = Effect.flatMap(
        Deferred.await(stopped),
        () => settled ?? Effect.fail(new QueueClosed({ started: true }))
      )
      return Effect.raceFirst(Effect.uninterruptible(sending), stopping)
    })

  const stillUnderWay = new MaxRetriesExceeded({
    attempts: 1,
    lastError: new RequestTimeout({ timeout: config.maxRetryAfter }),
    kept: true
  })

  /**
   * The receipt of the same decision, which is under way. Once it is left to other clients of a durable outbox, sending it
   * again under its key answers their receipt.
   */
  const joinedReceipt = (record: LedgerRecord): Effect.Effect<Receipt, DeliveryError | AcceptError> =>
    Effect.raceFirst(settlement.join(record), parts.watchStore).pipe(
      Effect.timeoutOrElse({ duration: config.maxRetryAfter, orElse: () => Effect.fail(stillUnderWay) }),
      Effect.flatMap((outcome) => (outcome === undefined ? deliverUntilStopped(record) : receiptOf(outcome)))
    )

  return (record) =>
    Effect.suspend((): Effect.Effect<Receipt, DeliveryError | AcceptError> => {
      const answer = accepting.answerAtOnce(record)
      if (answer === undefined) return deliverUntilStopped(record)
      return Result.isFailure(answer) ? Effect.fail(answer.failure) : joinedReceipt(record)
    })
}

/** What closing stops, beside what the calls share. */
interface Running {
  readonly outbox: Outbox["Service"]
  readonly workers: ReadonlyArray<Fiber.Fiber<void>>
  readonly stored: StoreDelivery.StoreDelivery | undefined
  readonly flush: Service["flush"]
  readonly clock: Clock.Clock
}

/** Closes in one deadline for storing, settling and stopping together; what is in flight always gets a moment. */
const closing = (parts: Parts, { clock, flush, outbox, stored, workers }: Running): Effect.Effect<void> => {
  const { accepting, config, sealing, sender, settlement, stopped } = parts

  /** Own records settle; then what is in flight leaves the store, while nothing new is taken from it. */
  const settleDown = Effect.andThen(Effect.ignore(flush(config.shutdownTimeout)), stored?.stop ?? Effect.void)

  return Effect.gen(function* () {
    accepting.close()
    const deadline = clock.currentTimeNanosUnsafe() + Duration.toNanosUnsafe(config.shutdownTimeout)
    if (accepting.writer !== undefined) yield* accepting.writer.close(config.shutdownTimeout)
    yield* outbox.close
    // The ledger may be back by now; a time that it named itself is kept, though.
    if (sender.closedBecause() === "outage") sender.wake()
    const rest = Duration.max(Duration.nanos(deadline - clock.currentTimeNanosUnsafe()), leastPatience)
    yield* Effect.ignore(Effect.interruptible(Effect.timeout(settleDown, rest)))
    yield* Deferred.done(stopped, Exit.void)
    yield* Fiber.interruptAll(workers)
    if (stored !== undefined) yield* stored.giveBack
    sealing.end(settlement.counts().accepted)
    for (const record of yield* outbox.drain) settlement.settle(record, Outcome.dropped(record, "Shutdown", false))
    settlement.handOverUpTo(settlement.lastSequence())
  }).pipe(Effect.uninterruptible)
}

/** Starts delivery in the scope. */
export const make: Effect.Effect<Service, never, XaseConfig | Ledger | Outbox | RecordStore | Journal | Scope.Scope> =
  Effect.gen(function* () {
    const config = yield* XaseConfig
    const outbox = yield* Outbox
    const store = yield* RecordStore
    const clock = yield* Clock.Clock
    const settlement = yield* Accounts.make
    const sender = yield* Sender.make(settlement)
    const accepting = yield* Acceptance.make({ config, outbox, store, settlement, clock })
    const inFlight = InFlight.make(settlement, accepting.isClosed)
    const sealing = Sealing.make({ config, journal: yield* Journal, clock, isOnly: store === undefined })
    const stopped = yield* Deferred.make<void>()

    const workers = yield* startWorkers(outbox, config.concurrency, (record) =>
      inFlight.run(record, sealing.sealed(record, sender.deliver(record), Sealing.signingPatience), (exit) =>
        inFlight.settle(record, exit, "Shutdown")
      )
    )
    const durable = config.outbox.kind === "memory" ? undefined : config.outbox
    const stored =
      store === undefined || accepting.writer === undefined || durable?.deliver !== true
        ? undefined
        : yield* StoreDelivery.start({
            store,
            accounts: settlement,
            search: LedgerSearch.make(yield* Ledger, config.baseUrl),
            concurrency: config.concurrency,
            idempotencyWindow: durable.idempotencyWindow,
            claim: accepting.writer.claim,
            send: (record) => sealing.journaled(record, sender.deliver(record)),
            running: inFlight.run,
            settle: (record, exit) => inFlight.settle(record, exit, "Shutdown")
          })

    const watchStore = Effect.suspend(() =>
      Effect.andThen(untilStoreIsEmptied(store, settlement, clock, settlement.lastSequence()), Effect.never)
    )
    const flush: Service["flush"] =
      store === undefined ? settlement.flush : (timeout) => Effect.raceFirst(settlement.flush(timeout), watchStore)

    const parts: Parts = { config, settlement, accepting, inFlight, sealing, sender, stopped, watchStore }
    const close = yield* Effect.cached(closing(parts, { outbox, workers, stored, flush, clock }))
    // Registered after the workers, so that it runs while they are alive.
    yield* Effect.addFinalizer(() => close)

    return {
      acceptNow: accepting.acceptNow,
      accept: accepting.accept,
      deliverNow: deliveringNow(parts),
      flush,
      stats: () => ({
        ...settlement.counts(),
        pending: settlement.unsettled() - inFlight.count(),
        inFlight: inFlight.count(),
        pendingBytes: outbox.size().bytes,
        joined: accepting.joined(),
        retries: sender.retries(),
        state: sender.closedBecause() ?? "flowing",
        closed: accepting.isClosed()
      }),
      outcomes: settlement.outcomes,
      close,
      wake: Effect.sync(sender.wake)
    }
  })

/** What a close waits at least for records in flight, when storing has used up its time. */
const leastPatience = Duration.millis(100)

/** A store that answers later than this is asked again. */
const oldestTimeout = "2 seconds"

/** How often a flush looks whether others have emptied the store. */
const watchInterval = "100 millis"

const isNotDone = (error: DeliveryError | Cause.Done): error is DeliveryError => !Cause.isDone(error)

/** {@link make} as a layer. */
export const layer: Layer.Layer<Delivery, never, XaseConfig | Ledger | Outbox | RecordStore | Journal> = Layer.effect(
  Delivery,
  make
)
