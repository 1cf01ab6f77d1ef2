/**
 * What grows in the suite `growth`: payloads and the queue.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Result from "effect/Result"
import { XaseClient } from "xase-sdk/promise"
import * as Client from "../../../src/client/Client.ts"
import { Receipt } from "../../../src/contract/Receipt.ts"
import type { LedgerRecord } from "../../../src/decision/DecisionRecord.ts"
import * as Journal from "../../../src/delivery/Journal.ts"
import { Ledger } from "../../../src/ledger/Ledger.ts"
import * as XaseConfig from "../../../src/settings/XaseConfig.ts"
import { decision, decisionOf } from "../decision.ts"
import type { Round } from "../harness/Samples.ts"
import { apiKey, patience, settings } from "../subjects/settings.ts"

/** Keeps results alive, so that no engine may leave the work out. */
export let sink: unknown

const microsecondsPerCall = (calls: number, run: () => unknown): number => {
  for (let n = 0; n < calls / 4; n++) sink = run()
  const started = performance.now()
  for (let n = 0; n < calls; n++) sink = run()
  return ((performance.now() - started) * 1_000) / calls
}

const client = new XaseClient({
  apiKey,
  baseUrl: "http://127.0.0.1:9",
  queueMaxSize: 100,
  exitHandlers: false
})

/** Microseconds of a call for a payload of so many bytes, into a full outbox. */
export const payload = (bytes: number, calls: number): Round => {
  const sample = decisionOf(bytes)
  return {
    record: microsecondsPerCall(calls, () => client.record(sample)),
    stringify: microsecondsPerCall(calls, () => JSON.stringify(sample))
  }
}

const receipt = new Receipt({
  transactionId: `txn_${"0".repeat(32)}`,
  receiptUrl: "http://127.0.0.1/xase/receipt/txn",
  timestamp: "2026-11-23T09:00:00.000Z",
  recordHash: "ab".repeat(32),
  chainPosition: "chained"
})

/** Microseconds a record of queueing so many, and of taking them out again to a ledger that takes them at once. */
export const queue = async (depth: number): Promise<Round> => {
  const answers = Latch.makeUnsafe(false)
  const ledger = Layer.succeed(Ledger, {
    append: () => Effect.as(answers.await, receipt),
    verify: () => Effect.never,
    list: () => Effect.never,
    setApiKey: () => Effect.void
  })
  const runtime = ManagedRuntime.make(
    Client.layerOverLedger.pipe(
      Layer.provide([ledger, Journal.layer]),
      Layer.provide(XaseConfig.layer(settings({ url: "http://127.0.0.1:9", concurrency: 1 })))
    )
  )
  const { delivery, makeRecord } = await runtime.runPromise(Client.Client)
  const made: LedgerRecord = Result.getOrThrow(makeRecord(decision(1), {}, 0, undefined))
  const records = Array.from({ length: depth }, (_, n) => ({ ...made, idempotencyKey: `key-${n}` }))
  globalThis.gc?.()
  const started = performance.now()
  for (const record of records) delivery.acceptNow(record)
  const queued = performance.now()
  await runtime.runPromise(answers.open)
  await runtime.runPromise(delivery.flush(Duration.millis(patience)))
  const drained = performance.now()
  await runtime.dispose()
  return { enqueue: ((queued - started) * 1_000) / depth, drain: ((drained - queued) * 1_000) / depth }
}
