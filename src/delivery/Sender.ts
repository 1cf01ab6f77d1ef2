/**
 * Gets one record to the ledger: through the gate, with retries, patiently or not.
 *
 * A queued record is patient: while the ledger asks to wait, is down or refuses the key, it keeps its place. A record whose
 * caller waits is impatient: it gets a typed error instead. Both share the gate, the retry budget and the permits that
 * bound the requests in flight, so the ledger meets one client and not two.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import type { Receipt } from "../contract/Receipt.ts"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import { Ledger } from "../ledger/Ledger.ts"
import * as RetryPolicy from "../ledger/RetryPolicy.ts"
import { XaseConfig } from "../settings/XaseConfig.ts"
import {
  type DeliveryError,
  type LedgerError,
  MaxRetriesExceeded,
  NetworkError,
  RateLimitExceeded
} from "../XaseError.ts"
import * as DeliveryGate from "./DeliveryGate.ts"
import * as Metrics from "./Metrics.ts"
import * as RetryBudget from "./RetryBudget.ts"
import type { Accounts, Alert } from "./Settlement.ts"

/** Sends one record at a time through the gate, with retries: patiently from the outbox, or for a caller who waits. */
export interface Sender {
  /** Sends a queued record, holding it as long as the ledger cannot take it. */
  readonly deliver: (record: LedgerRecord) => Effect.Effect<Receipt, DeliveryError>
  /** Sends a record whose caller waits. */
  readonly deliverNow: (record: LedgerRecord) => Effect.Effect<Receipt, DeliveryError>
  /** Why nothing is sent, `undefined` while records flow. */
  readonly closedBecause: () => DeliveryGate.ClosedBecause | undefined
  /** Lets the next probe go at once. */
  readonly wake: () => void
  /** Attempts after the first one of a record. */
  readonly retries: () => number
}

/** A sender with an open gate and a full budget. */
export const make = Effect.fnUntraced(function* (
  accounts: Accounts
): Effect.fn.Return<Sender, never, XaseConfig | Ledger> {
  const config = yield* XaseConfig
  const ledger = yield* Ledger
  const context = yield* Effect.context<never>()
  const permits = yield* Semaphore.make(config.concurrency)
  const gate = DeliveryGate.make<Alert | RateLimitExceeded>(probePatience(config.timeout))
  const budget = RetryBudget.make()
  const schedule = RetryPolicy.schedule(config).pipe(Schedule.while(() => Effect.sync(budget.withdraw)))
  let retries = 0

  const held = (): string => {
    const records = accounts.unsettled()
    return `${records} record${records === 1 ? "" : "s"}`
  }

  // -- what an answer means for everybody else

  const close = (
    pass: DeliveryGate.Pass,
    because: DeliveryGate.ClosedBecause,
    error: Alert | RateLimitExceeded,
    named?: Duration.Duration
  ): Effect.Effect<void> =>
    Effect.flatMap(
      gate.close(pass, because, error, (failures) => RetryPolicy.pause(failures, named)),
      (isNews) => {
        if (!isNews) return Effect.void
        if (error._tag !== "RateLimitExceeded") accounts.alert(error)
        return Effect.logWarning(`xase: delivery holds ${held()} (${because}): ${error.message}`)
      }
    )

  const ledgerIsThere = (pass: DeliveryGate.Pass): Effect.Effect<void> =>
    gate.answered(pass) ? Effect.logInfo(`xase: delivery flows again with ${held()}`) : Effect.void

  const reportError = (pass: DeliveryGate.Pass, error: LedgerError): Effect.Effect<void> => {
    if (RetryPolicy.isBlocking(error)) return close(pass, "refused", error)
    if (!RetryPolicy.isRetryable(error)) return ledgerIsThere(pass)
    const named = RetryPolicy.namedDelay(error)
    if (error._tag === "RateLimitExceeded") return close(pass, "rate limited", error, named)
    // A first failure of one record says nothing about the ledger yet, unless the ledger says so itself.
    if (named === undefined && pass.role === "sender") return Effect.void
    return close(pass, "outage", new MaxRetriesExceeded({ attempts: 1, lastError: error, kept: true }), named)
  }

  const report = (pass: DeliveryGate.Pass, exit: Exit.Exit<Receipt, LedgerError>): Effect.Effect<void> => {
    if (exit._tag === "Success") {
      budget.deposit()
      return ledgerIsThere(pass)
    }
    const error = Cause.findErrorOption(exit.cause)
    return Option.isSome(error) ? reportError(pass, error.value) : Effect.sync(() => gate.abandon(pass))
  }

  // -- one attempt

  const send = (pass: DeliveryGate.Pass, record: LedgerRecord): Effect.Effect<Receipt, LedgerError> =>
    ledger.append(record).pipe(
      Effect.catchDefect((defect): Effect.Effect<Receipt, LedgerError> => Effect.fail(unexpected(defect))),
      Effect.onExit((exit) => report(pass, exit))
    )

  /** Goes through the gate, then waits for its turn; the gate may have closed meanwhile. */
  const attempt = (
    record: LedgerRecord,
    enter: Effect.Effect<DeliveryGate.Pass, LedgerError>
  ): Effect.Effect<Receipt, LedgerError> =>
    Effect.flatMap(enter, (pass) =>
      permits
        .withPermit(Effect.suspend(() => (gate.isValid(pass) ? Effect.asSome(send(pass, record)) : Effect.succeedNone)))
        .pipe(
          Effect.onInterrupt(() => Effect.sync(() => gate.abandon(pass))),
          Effect.flatMap(Option.match({ onNone: () => attempt(record, enter), onSome: Effect.succeed }))
        )
    )

  /**
   * Repeats `again` after a first failure, by the retry policy and while the budget lasts. The policy is only entered
   * here, with a failure that has already happened, so a record that goes through at once does not pay for it.
   */
  const retry = (
    firstError: RetryPolicy.RetryableError,
    again: Effect.Effect<Receipt, LedgerError>,
    exhausted: (lastError: RetryPolicy.RetryableError, attempts: number) => Effect.Effect<Receipt, DeliveryError>
  ): Effect.Effect<Receipt, DeliveryError> => {
    let attempts = 0
    const step = Effect.suspend(
      (): Effect.Effect<Result.Result<Receipt, DeliveryError>, RetryPolicy.RetryableError> => {
        attempts++
        if (attempts === 1) return Effect.fail(firstError)
        retries++
        Metrics.retries.updateUnsafe(1, context)
        return again.pipe(
          Effect.map(Result.succeed),
          Effect.catch((error) =>
            RetryPolicy.isRetryable(error) ? Effect.fail(error) : Effect.succeed(Result.fail(error))
          )
        )
      }
    )
    return step.pipe(
      Effect.retry(schedule),
      Effect.matchEffect({ onFailure: (error) => exhausted(error, attempts), onSuccess: Effect.fromResult })
    )
  }

  const giveUp = (lastError: RetryPolicy.RetryableError, attempts: number): Effect.Effect<never, DeliveryError> =>
    Effect.fail(
      lastError._tag === "RateLimitExceeded" ? lastError : new MaxRetriesExceeded({ attempts, lastError, kept: false })
    )

  // -- a queued record

  /** Whether a record waits for the gate with its place and its retries untouched. */
  const isWaitedOut = (error: LedgerError): boolean => {
    if (RetryPolicy.isBlocking(error)) return true
    if (!RetryPolicy.isRetryable(error)) return false
    const holdsWithoutTime = error._tag === "RateLimitExceeded" && config.outage === "hold"
    return holdsWithoutTime || RetryPolicy.namedDelay(error) !== undefined
  }

  const patientAttempt = (record: LedgerRecord): Effect.Effect<Receipt, LedgerError> =>
    Effect.catch(attempt(record, gate.enter), (error) =>
      isWaitedOut(error) ? patientAttempt(record) : Effect.fail(error)
    )

  /** The ledger is down: the record keeps its place, and the gate lets one probe through at a time. */
  const hold = (
    record: LedgerRecord,
    lastError: RetryPolicy.TransientError,
    attempts: number
  ): Effect.Effect<Receipt, DeliveryError> =>
    Effect.suspend(() =>
      gate.state()._tag === "Closed"
        ? Effect.void
        : close(gate.scout(), "outage", new MaxRetriesExceeded({ attempts, lastError, kept: true }))
    ).pipe(
      Effect.andThen(patientAttempt(record)),
      Effect.catch((error) => {
        if (!RetryPolicy.isTransient(error)) return Effect.fail<DeliveryError>(error)
        return afterRetries(record, error, attempts + 1)
      })
    )

  /** Who is to blame: the ledger, then the record stays; or the record, then it fails and the next one flows. */
  const afterRetries = (
    record: LedgerRecord,
    lastError: RetryPolicy.RetryableError,
    attempts: number
  ): Effect.Effect<Receipt, DeliveryError> => {
    if (lastError._tag === "RateLimitExceeded" || config.outage === "fail") return giveUp(lastError, attempts)
    // Fewer attempts than the policy allows: the budget ended them, since nothing gets through.
    const isLedgerDown = RetryPolicy.isOutage(lastError) || attempts <= config.maxRetries
    return isLedgerDown ? hold(record, lastError, attempts) : giveUp(lastError, attempts)
  }

  const deliver: Sender["deliver"] = (record) =>
    Effect.catch(patientAttempt(record), (error) =>
      RetryPolicy.isRetryable(error)
        ? retry(error, patientAttempt(record), (last, attempts) => afterRetries(record, last, attempts))
        : Effect.fail<DeliveryError>(error)
    )

  // -- a record whose caller waits

  /** Goes as the probe, or fails as before when another one is on its way for longer than a request may take. */
  const probeNow = (error: LedgerError): Effect.Effect<DeliveryGate.Pass, LedgerError> =>
    Effect.timeoutOrElse(gate.enter, { duration: config.timeout, orElse: () => Effect.fail(error) })

  /** Waits for a rate limit within bounds, scouts in an outage, and does not try within the pause after a refused key. */
  const enterNow: Effect.Effect<DeliveryGate.Pass, LedgerError> = Effect.flatMap(
    gate.remaining,
    (remaining): Effect.Effect<DeliveryGate.Pass, LedgerError> => {
      const state = gate.state()
      if (state._tag === "Open") return gate.enter
      const { error } = state
      if (error._tag === "MaxRetriesExceeded") return Effect.sync(gate.scout)
      // Once the pause is over, or the key was changed, somebody has to try: there may be no queued record to do it.
      if (error._tag !== "RateLimitExceeded") return Duration.isZero(remaining) ? probeNow(error) : Effect.fail(error)
      const tooLong = new RateLimitExceeded({ retryAfter: remaining, named: error.named })
      return Duration.isGreaterThan(remaining, config.maxRetryAfter)
        ? Effect.fail(tooLong)
        : Effect.timeoutOrElse(gate.enter, { duration: config.maxRetryAfter, orElse: () => Effect.fail(tooLong) })
    }
  )

  const closedBecause = (): DeliveryGate.ClosedBecause | undefined => {
    const state = gate.state()
    return state._tag === "Open" ? undefined : state.because
  }

  const deliverNow: Sender["deliverNow"] = (record) => {
    const attemptNow = attempt(record, enterNow)
    return Effect.catch(attemptNow, (error) => {
      if (!RetryPolicy.isRetryable(error)) return Effect.fail<DeliveryError>(error)
      // In an outage one request is enough; retries would only add to it.
      const isKnownOutage = closedBecause() === "outage" && RetryPolicy.namedDelay(error) === undefined
      return isKnownOutage ? giveUp(error, 1) : retry(error, attemptNow, giveUp)
    })
  }

  return {
    deliver,
    deliverNow,
    closedBecause,
    wake: gate.wake,
    retries: () => retries
  }
})

/** A probe may wait for the attempts that are in flight before its own. */
const probePatience = (timeout: Duration.Duration): Duration.Duration => Duration.times(timeout, 10)

/** A bug, here or in the HTTP client. Its message may quote the request, so only its name is told. */
const unexpected = (defect: unknown): NetworkError =>
  new NetworkError({
    reason: `unexpected ${defect instanceof Error ? defect.name : typeof defect}`,
    connectionReset: false
  })
