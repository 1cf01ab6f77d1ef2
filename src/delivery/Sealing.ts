/**
 * Seals records that wait in memory when their turn comes, and notes in the journal what is sent and what comes back.
 *
 * Records of a durable outbox were sealed when they were stored: they pass through as they are.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Receipt } from "../contract/Receipt.ts"
import type { LedgerRecord } from "../decision/DecisionRecord.ts"
import * as Producer from "../decision/Sealer.ts"
import type { Settings } from "../settings/XaseConfig.ts"
import type { DeliveryError } from "../XaseError.ts"
import type { Service as Journal } from "./Journal.ts"

type Delivering = Effect.Effect<Receipt, DeliveryError>

/** Puts sealing and the journal around a delivery. */
export interface Sealing {
  /** Seals the record now, waits for its signature with this patience, then sends it. */
  readonly sealed: (record: LedgerRecord, delivery: Delivering, patience: Schedule.Schedule<unknown>) => Delivering
  /** Notes what is sent and what came back, where there is a journal. */
  readonly journaled: (record: LedgerRecord, delivery: Delivering) => Delivering
  /** Notes how many decisions the producer accepted; the last thing before it ends. */
  readonly end: (accepted: number) => void
}

/** What sealing depends on. `isOnly`: all accepted records are sealed here, because there is no durable outbox. */
export interface Parts {
  readonly config: Pick<Settings, "commitments" | "journal" | "signer">
  readonly journal: Journal
  readonly clock: Clock.Clock
  readonly isOnly: boolean
}

/** A key store that is away is waited for like a ledger that is: the record keeps its place. */
export const signingPatience = Schedule.min([Schedule.exponential("100 millis", 3), Schedule.spaced("30 seconds")])

/** A caller who waits for a receipt waits for three more attempts of the signer. */
export const signingRetries = Schedule.exponential("100 millis", 3).pipe(Schedule.upTo({ times: 3 }))

/** Goes on with the producer of the journal, or begins one. */
export const make = ({ clock, config, isOnly, journal }: Parts): Sealing => {
  const start = journal.producer ?? Producer.fresh()
  const producer = config.commitments ? Producer.make(start, config.signer) : Producer.silent
  let sealedHere = 0

  const journaled: Sealing["journaled"] = (record, delivery) => {
    if (config.journal === undefined) return delivery
    journal.sent(record, clock.currentTimeMillisUnsafe(), start.producer)
    return Effect.tap(delivery, (receipt) =>
      Effect.sync(() => journal.received(record, receipt, clock.currentTimeMillisUnsafe()))
    )
  }

  return {
    journaled,
    sealed: (record, delivery, patience) => {
      // Next to a durable outbox, whose records have a chain of their own, only those that go through memory count.
      const isCounted = isOnly || record.draft === undefined
      const signing = producer.seal(record, isCounted ? record.sequence : ++sealedHere)
      if (signing === undefined) return journaled(record, delivery)
      const warned = Effect.tapError(signing, (error) => Effect.logWarning(`xase: ${error.message}`))
      return Effect.andThen(
        Effect.catch(warned, () => Effect.retry(signing, patience)),
        Effect.suspend(() => journaled(record, delivery))
      )
    },
    end: (accepted) => journal.ended(start.sequence + (isOnly ? accepted : sealedHere))
  }
}
