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
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Tracer from "effect/Tracer"
import type { Receipt } from "../contract/Receipt.ts"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import * as Producer from "../decision/Sealer.ts"
import { Ledger } from "../ledger/Ledger.ts"
import * as LedgerSearch from "../ledger/LedgerSearch.ts"
import { Outbox } from "../outbox/MemoryOutbox.ts"
import { RecordStore } from "../outbox/RecordStore.ts"
import { XaseConfig } from "../settings/XaseConfig.ts"
import {
  type DeliveryError,
  type FlushTimeout,
  IdempotencyConflict,
  MaxRetriesExceeded,
  QueueClosed,
  QueueFull,
  RequestTimeout
} from "../XaseError.ts"
import type * as DeliveryGate from "./DeliveryGate.ts"
import * as Intake from "./Intake.ts"
import { Journal } from "./Journal.ts"
import * as Metrics from "./Metrics.ts"
import * as Outcome from "./Outcome.ts"
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

/**
 * What became of a record that was offered without waiting. `Joined`: the very same decision is under way already, with the
 * same key. `Wait`: `accept` would wait, because the outbox is durable, or full under the policy `backpressure`.
 */
export type Acceptance = "Accepted" | "Joined" | "Wait"

/** Why a record is not accepted. */
export type AcceptError = Intake.IntakeError

/** See the module. */
export interface Service {
  /** Takes a record in without waiting. */
  readonly acceptNow: (record: LedgerRecord) => Result.Result<Acceptance, AcceptError>
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

/** See the module. */
export class Delivery extends Context.Service<Delivery, Service>()("xase-sdk/Delivery") {}

/** Starts delivery in the scope. */
export const make: Effect.Effect<Service, never, XaseConfig | Ledger | Outbox | RecordStore | Journal | Scope.Scope> =
  Effect.gen(function* () {
    const config = yield* XaseConfig
    const outbox = yield* Outbox
    const store = yield* RecordStore
    const accounts = yield* Accounts.make
    const sender = yield* Sender.make(accounts)
    const journal = yield* Journal
    const start = journal.producer ?? Producer.fresh()
    const producer = config.commitments ? Producer.make(start, config.signer) : Producer.silent
    const context = yield* Effect.context<never>()
    const clock = yield* Clock.Clock
    const turn = yield* Semaphore.make(1)
    const stopped = yield* Deferred.make<void>()
    const durable = config.outbox.kind === "memory" ? undefined : config.outbox
    let waiting = 0
    let joined = 0
    let inFlight = 0
    let sealedHere = 0
    let isClosed = false

    // -- taking records in

    /** What is to be said of a record that is not new. */
    const standingOf = (record: LedgerRecord): Result.Result<"Joined", IdempotencyConflict> | undefined => {
      switch (accounts.standingOf(record)) {
        case "new":
          return undefined
        case "conflict":
          return Result.fail(new IdempotencyConflict({ idempotencyKey: record.idempotencyKey }))
        case "under way":
          joined++
          return joinedAnswer
      }
    }

    /** What is to be said of a record before anything is done with it. */
    const answerAtOnce = (record: LedgerRecord): Result.Result<"Joined", AcceptError> | undefined =>
      isClosed ? Result.fail(new QueueClosed({ started: false })) : standingOf(record)

    const takeIn = (record: LedgerRecord): Result.Result<Acceptance, AcceptError> => {
      const answer = answerAtOnce(record)
      if (answer !== undefined) return answer
      const offer = outbox.offerNow(record)
      switch (offer._tag) {
        case "Closed":
          return Result.fail(new QueueClosed({ started: false }))
        case "Full":
          return config.queuePolicy === "backpressure"
            ? Result.succeed("Wait")
            : Result.fail(new QueueFull({ dropped: false }))
        case "Accepted":
          accounts.enter(record)
          for (const evicted of offer.evicted) accounts.settle(evicted, Outcome.dropped(evicted, "QueueFull", false))
          Metrics.queueDepth.updateUnsafe(outbox.size().records, context)
          return accepted
      }
    }

    const takeInWaiting = (record: LedgerRecord): Effect.Effect<void, AcceptError> =>
      Effect.suspend(() => {
        const answer = takeIn(record)
        if (Result.isFailure(answer)) return Effect.fail(answer.failure)
        return answer.success === "Wait" ? Effect.andThen(outbox.room, takeInWaiting(record)) : Effect.void
      })

    // Whoever comes while others wait for room waits behind them.
    const takeInOrWait: Service["acceptNow"] = (record) => (waiting > 0 ? wait : takeIn(record))

    const acceptInMemory: Service["accept"] = (record) =>
      Effect.suspend(() => {
        const answer = takeInOrWait(record)
        if (Result.isFailure(answer)) return Effect.fail(answer.failure)
        if (answer.success !== "Wait") return Effect.void
        waiting++
        return turn.withPermit(takeInWaiting(record)).pipe(Effect.ensuring(Effect.sync(() => waiting--)))
      })

    const intake =
      store === undefined
        ? undefined
        : yield* Intake.make(
            store,
            accounts,
            (record) => {
              const answer = standingOf(record)
              if (answer === undefined) return undefined
              return Result.isFailure(answer) ? Exit.fail(answer.failure) : Exit.void
            },
            () => clock.currentTimeMillisUnsafe(),
            config,
            durable?.deliver === false
          )

    const acceptStored =
      ({ store }: Intake.Intake): Service["accept"] =>
      (record) =>
        Effect.suspend((): Effect.Effect<void, AcceptError> => {
          if (isClosed) return Effect.fail(new QueueClosed({ started: false }))
          return durable?.onUnavailable === "memory"
            ? Effect.catchTag(store(record), "OutboxUnavailable", () => acceptInMemory(record))
            : store(record)
        })

    const accept = intake === undefined ? acceptInMemory : acceptStored(intake)
    const acceptNow: Service["acceptNow"] = intake === undefined ? takeInOrWait : () => wait

    // -- sending

    /** Makes a span for the delivery, linked to the one that recorded, unless nobody would see it. */
    const traced = <A, E>(record: LedgerRecord, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.withFiber((fiber) =>
        (fiber.cache.tracer ?? Tracer.nativeTracer) === Tracer.nativeTracer
          ? effect
          : Effect.withSpan(effect, "xase.deliver", {
              kind: "client",
              root: true,
              links: record.span === undefined ? [] : [{ span: record.span, attributes: {} }],
              attributes: { "xase.policy": record.policy, "xase.idempotency_key": record.idempotencyKey }
            })
      )

    const outcomeOf = (
      record: LedgerRecord,
      exit: Exit.Exit<Receipt, DeliveryError>,
      reason: Outcome.DropReason
    ): Outcome.Outcome => {
      if (Exit.isSuccess(exit)) return Outcome.delivered(record, exit.value)
      const error = Cause.findErrorOption(exit.cause)
      return Option.isSome(error)
        ? Outcome.failed(record, error.value)
        : Outcome.dropped(record, isClosed ? "Shutdown" : reason, true)
    }

    /** Runs a delivery, which alone can be interrupted, to its end. */
    const running = (
      record: LedgerRecord,
      delivery: Effect.Effect<Receipt, DeliveryError>,
      ended: (exit: Exit.Exit<Receipt, DeliveryError>) => void
    ): Effect.Effect<Receipt, DeliveryError> =>
      Effect.suspend(() => {
        inFlight++
        return Effect.interruptible(traced(record, Effect.trackDuration(delivery, Metrics.deliveryTime)))
      }).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            inFlight--
            ended(exit)
          })
        )
      )

    /** However a delivery from memory ends, the record is settled. */
    const settling = (
      record: LedgerRecord,
      delivery: Effect.Effect<Receipt, DeliveryError>,
      reason: Outcome.DropReason
    ): Effect.Effect<Receipt, DeliveryError> =>
      running(record, delivery, (exit) => accounts.settle(record, outcomeOf(record, exit, reason)))

    /** Notes what is sent and what came back, where there is a journal. */
    const journaled = (
      record: LedgerRecord,
      delivery: Effect.Effect<Receipt, DeliveryError>
    ): Effect.Effect<Receipt, DeliveryError> => {
      if (config.journal === undefined) return delivery
      journal.sent(record, clock.currentTimeMillisUnsafe(), start.producer)
      return Effect.tap(delivery, (receipt) =>
        Effect.sync(() => journal.received(record, receipt, clock.currentTimeMillisUnsafe()))
      )
    }

    /** Seals the record, now, and sends it when its signature is there. */
    const sealed = (
      record: LedgerRecord,
      delivery: Effect.Effect<Receipt, DeliveryError>,
      patience: Schedule.Schedule<unknown>
    ): Effect.Effect<Receipt, DeliveryError> => {
      // Next to a durable outbox, whose records have a chain of their own, only those that go through memory count.
      const isCounted = store === undefined || record.draft === undefined
      const signing = producer.seal(record, isCounted ? record.sequence : ++sealedHere)
      if (signing === undefined) return journaled(record, delivery)
      const warned = Effect.tapError(signing, (error) => Effect.logWarning(`xase: ${error.message}`))
      return Effect.andThen(
        Effect.catch(warned, () => Effect.retry(signing, patience)),
        Effect.suspend(() => journaled(record, delivery))
      )
    }

    const deliverNext = Effect.flatMap(outbox.take, (record) => {
      Metrics.queueDepth.updateUnsafe(outbox.size().records, context)
      return settling(record, sealed(record, sender.deliver(record), signingPatience), "Shutdown")
    }).pipe(Effect.catchIf(isNotDone, () => Effect.void))

    const worker = deliverNext.pipe(Effect.uninterruptible, Effect.forever({ disableYield: true }), Effect.ignore)

    const workers: Array<Fiber.Fiber<void>> = []
    for (let index = 0; index < config.concurrency; index++) workers.push(yield* Effect.forkScoped(worker))

    const stored =
      store === undefined || intake === undefined || durable?.deliver !== true
        ? undefined
        : yield* StoreDelivery.start({
            store,
            accounts,
            search: LedgerSearch.make(yield* Ledger, config.baseUrl),
            concurrency: config.concurrency,
            idempotencyWindow: durable.idempotencyWindow,
            claim: intake.claim,
            send: (record) => journaled(record, sender.deliver(record)),
            running,
            settle: (record, exit) => accounts.settle(record, outcomeOf(record, exit, "Shutdown"))
          })

    /**
     * Resolves a flush for records that others of the same outbox have delivered: when nothing is left in the store that
     * was there when the flush began.
     */
    const watchStore = (upTo: number): Effect.Effect<void> =>
      Effect.gen(function* () {
        if (store === undefined) return
        const began = clock.currentTimeMillisUnsafe()
        while (true) {
          yield* Effect.sleep(watchInterval)
          const oldest = yield* Effect.timeoutOption(store.oldest, oldestTimeout).pipe(
            Effect.map(Option.getOrElse(() => began)),
            Effect.catch(() => Effect.succeed(began))
          )
          if (oldest === undefined || oldest > began) return accounts.handOverUpTo(upTo)
        }
      })

    const flush: Service["flush"] =
      store === undefined
        ? accounts.flush
        : (timeout) =>
            Effect.suspend(() => {
              const watching = Effect.andThen(watchStore(accounts.lastSequence()), Effect.never)
              return Effect.raceFirst(accounts.flush(timeout), watching)
            })

    /** Ends with the client, with the receipt if there is one by then. */
    const deliverUntilStopped = (record: LedgerRecord): Effect.Effect<Receipt, DeliveryError> =>
      Effect.suspend(() => {
        let settled: Exit.Exit<Receipt, DeliveryError> | undefined
        const sending = Effect.suspend(() => {
          accounts.enter(record)
          return running(record, sealed(record, sender.deliverNow(record), signingRetries), (exit) => {
            settled = exit
            accounts.settle(record, outcomeOf(record, exit, "Interrupted"))
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

    /**
     * The receipt of the same decision, which is under way. Once it is left to other clients of a durable outbox, sending it
     * again under its key answers their receipt.
     */
    const joinedReceipt = (record: LedgerRecord): Effect.Effect<Receipt, DeliveryError | AcceptError> =>
      Effect.suspend(() => {
        const watching = Effect.andThen(watchStore(accounts.lastSequence()), Effect.never)
        return Effect.raceFirst(accounts.join(record), watching)
      }).pipe(
        Effect.timeoutOrElse({ duration: config.maxRetryAfter, orElse: () => Effect.fail(stillUnderWay) }),
        Effect.flatMap((outcome) => (outcome === undefined ? deliverUntilStopped(record) : receiptOf(outcome)))
      )

    // -- closing

    /** Own records settle; then what is in flight, of whomever, leaves the store, while nothing new is taken. */
    const settleDown = Effect.gen(function* () {
      yield* Effect.ignore(flush(config.shutdownTimeout))
      if (stored !== undefined) yield* stored.stop
    })

    /** One deadline for storing, settling and stopping together; what is in flight always gets a moment. */
    const patienceUntil = (deadline: bigint): Duration.Duration =>
      Duration.max(Duration.nanos(deadline - clock.currentTimeNanosUnsafe()), leastPatience)

    const close = yield* Effect.cached(
      Effect.gen(function* () {
        isClosed = true
        const deadline = clock.currentTimeNanosUnsafe() + Duration.toNanosUnsafe(config.shutdownTimeout)
        if (intake !== undefined) yield* intake.close(config.shutdownTimeout)
        yield* outbox.close
        // The ledger may be back by now; a time that it named itself is kept, though.
        if (sender.closedBecause() === "outage") sender.wake()
        yield* Effect.ignore(Effect.interruptible(Effect.timeout(settleDown, patienceUntil(deadline))))
        yield* Deferred.done(stopped, Exit.void)
        yield* Fiber.interruptAll(workers)
        if (stored !== undefined) yield* stored.giveBack
        journal.ended(start.sequence + (store === undefined ? accounts.counts().accepted : sealedHere))
        for (const record of yield* outbox.drain) {
          accounts.settle(record, Outcome.dropped(record, "Shutdown", false))
        }
        accounts.handOverUpTo(accounts.lastSequence())
      }).pipe(Effect.uninterruptible)
    )

    // Registered after the workers, so that it runs while they are alive.
    yield* Effect.addFinalizer(() => close)

    return {
      acceptNow,
      accept,
      deliverNow: (record) =>
        Effect.suspend((): Effect.Effect<Receipt, DeliveryError | AcceptError> => {
          const answer = answerAtOnce(record)
          if (answer === undefined) return deliverUntilStopped(record)
          return Result.isFailure(answer) ? Effect.fail(answer.failure) : joinedReceipt(record)
        }),
      flush,
      stats: () => {
        return {
          ...accounts.counts(),
          pending: accounts.unsettled() - inFlight,
          inFlight,
          pendingBytes: outbox.size().bytes,
          joined,
          retries: sender.retries(),
          state: sender.closedBecause() ?? "flowing",
          closed: isClosed
        }
      },
      outcomes: accounts.outcomes,
      close,
      wake: Effect.sync(sender.wake)
    }
  })

const accepted = Result.succeed("Accepted" as const)
/** What a close waits at least for records in flight, when storing has used up its time. */
const leastPatience = Duration.millis(100)

/** A store that answers later than this is asked again. */
const oldestTimeout = "2 seconds"

/** How often a flush looks whether others have emptied the store. */
const watchInterval = "100 millis"

const joinedAnswer = Result.succeed("Joined" as const)
const wait = Result.succeed("Wait" as const)

/** A key store that is away is waited for like a ledger that is: the record keeps its place. */
const signingPatience = Schedule.min([Schedule.exponential("100 millis", 3), Schedule.spaced("30 seconds")])

/** Whoever waits for a receipt waits for three more attempts. */
const signingRetries = Schedule.exponential("100 millis", 3).pipe(Schedule.upTo({ times: 3 }))

const isNotDone = (error: DeliveryError | Cause.Done): error is DeliveryError => !Cause.isDone(error)

/** {@link make} as a layer. */
export const layer: Layer.Layer<Delivery, never, XaseConfig | Ledger | Outbox | RecordStore | Journal> = Layer.effect(
  Delivery,
  make
)
