/**
 * What `POST /records` does once it knows who asks: replay, limits, body, append, in this order.
 *
 * Here every step of one request runs in one synchronous transaction: no two requests can meet between the steps. The
 * public ledger leaves gaps between them; `layerPublic` leaves the same gaps, so that clients can be tested on its forks,
 * its doubled records and its collisions.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { NodeSqlite } from "../../sql/NodeSqlite.ts"
import type { Caller } from "../keys/ApiKeys.ts"
import { LedgerSettings } from "../LedgerSettings.ts"
import * as Chain from "./Chain.ts"
import * as IdempotencyKeys from "./IdempotencyKeys.ts"
import * as Quotas from "./Quotas.ts"
import * as RateLimits from "./RateLimits.ts"
import * as RecordPayload from "./RecordPayload.ts"
import { isoTime } from "./RecordRow.ts"
import { type Appended, type Draft, Store } from "./Store.ts"

/** A request to record a decision. */
export interface RecordRequest {
  readonly caller: Caller
  readonly idempotencyKey: string | undefined
  /** The body as it was received. */
  readonly body: string
  /** See `IdempotencyKeys`. */
  readonly fingerprint: string | undefined
  /** Where the ledger is reached: receipts begin with it. */
  readonly origin: string
}

/** How far a caller is from its limit; `undefined` when it has none. */
export type Standing = { readonly limit: number; readonly allowance: RateLimits.Allowance } | undefined

/** What came of a request. */
export type Recording =
  | { readonly _tag: "Recorded"; readonly answer: string; readonly standing: Standing }
  | { readonly _tag: "Replayed"; readonly answer: string }
  | { readonly _tag: "Conflict" }
  | { readonly _tag: "RateLimited"; readonly standing: NonNullable<Standing>; readonly now: number }
  | { readonly _tag: "QuotaExceeded"; readonly usage: Quotas.Usage }
  | { readonly _tag: "Invalid"; readonly issues: ReadonlyArray<RecordPayload.Issue> }
  /** Malformed JSON, what the database refuses, or a database that fails. */
  | { readonly _tag: "Failed"; readonly cause: unknown }

/** Records decisions. */
export class Recorder extends Context.Service<
  Recorder,
  { readonly record: (request: RecordRequest) => Effect.Effect<Recording> }
>()("xase-sdk/Recorder") {}

interface Timed extends RecordRequest {
  readonly now: number
}

const failed = (cause: unknown): Recording => ({ _tag: "Failed", cause })

/** The steps that both kinds of ledger share. */
const makeSteps = Effect.gen(function* () {
  const settings = yield* LedgerSettings
  const sqlite = yield* NodeSqlite
  const store = yield* Store
  const rateLimits = RateLimits.make()
  const quotas = Quotas.make(sqlite, settings.quota)
  const keys = settings.compat === "public" ? IdempotencyKeys.makeForgetful() : IdempotencyKeys.makeStored(sqlite)

  const replay = (request: Timed): Recording | undefined => {
    const { caller, idempotencyKey, now } = request
    if (idempotencyKey === undefined) return undefined
    const recalled = keys.recall(caller.tenantId, idempotencyKey, request, now)
    if (recalled._tag === "Unknown") return undefined
    return recalled._tag === "Same" ? { _tag: "Replayed", answer: recalled.answer } : { _tag: "Conflict" }
  }

  const standingOf = ({ caller, now }: Timed): Standing => {
    const limit = caller.rateLimit ?? settings.rateLimit
    return limit === "unlimited" ? undefined : { limit, allowance: rateLimits.take(caller.keyId, limit, now) }
  }

  const refuse = ({ caller, now }: Timed, standing: Standing): Recording | undefined => {
    if (standing?.allowance.allowed === false) return { _tag: "RateLimited", standing, now }
    const usage = quotas.charge(caller.tenantId)
    return usage === undefined ? undefined : { _tag: "QuotaExceeded", usage }
  }

  const draft = ({ caller, now }: Timed, { hashes, payload }: Readable): Draft => ({
    tenantId: caller.tenantId,
    payload,
    hashes,
    timestamp: now
  })

  const answer = (request: Timed, appended: Appended, standing: Standing): Recording => {
    const text = receiptText(request.origin, appended)
    if (request.idempotencyKey !== undefined) {
      keys.remember(request.caller.tenantId, request.idempotencyKey, request, text, request.now)
    }
    return { _tag: "Recorded", answer: text, standing }
  }

  return { replay, standingOf, refuse, draft, answer, sqlite, store }
})

const receiptText = (origin: string, appended: Appended): string =>
  JSON.stringify({
    success: true,
    transaction_id: appended.transactionId,
    receipt_url: `${origin}/xase/receipt/${appended.transactionId}`,
    timestamp: isoTime(appended.timestamp),
    record_hash: appended.recordHash,
    chain_position: appended.previousHash === null ? "genesis" : "chained"
  })

interface Readable {
  readonly _tag: "Read"
  readonly payload: RecordPayload.RecordPayload
  readonly hashes: Chain.PayloadHashes
}

type Read = Readable | { readonly _tag: "Refused"; readonly recording: Recording }

const read = (body: string): Read => {
  const parsed = RecordPayload.validate(RecordPayload.parse(body))
  if (parsed._tag === "Invalid") {
    return { _tag: "Refused", recording: { _tag: "Invalid", issues: parsed.issues } }
  }
  const payload = RecordPayload.toStorable(parsed.payload)
  return { _tag: "Read", payload, hashes: Chain.hashPayload(payload) }
}

/** Everything of one request in one transaction. */
export const layer: Layer.Layer<Recorder, never, LedgerSettings | NodeSqlite | Store> = Layer.effect(
  Recorder,
  Effect.gen(function* () {
    const steps = yield* makeSteps

    const recordUnsafe = (request: Timed): Recording => {
      const replayed = steps.replay(request)
      if (replayed !== undefined) return replayed
      const standing = steps.standingOf(request)
      const refused = steps.refuse(request, standing)
      if (refused !== undefined) return refused
      const decision = readSafely(request.body)
      if (decision._tag === "Refused") return decision.recording
      const head = steps.store.head(request.caller.tenantId)
      return steps.answer(request, steps.store.append(steps.draft(request, decision), head), standing)
    }

    return {
      record: (request) =>
        Clock.clockWith((clock) =>
          Effect.catch(
            Effect.try({
              try: () => {
                const now = clock.currentTimeMillisUnsafe()
                return steps.sqlite.transaction(() => recordUnsafe({ ...request, now }))
              },
              catch: failed
            }),
            Effect.succeed
          )
        )
    }
  })
)

/** A body that cannot be read is charged like any other: its failure is an answer, not a rollback. */
const readSafely = (body: string): Read => {
  try {
    return read(body)
  } catch (cause) {
    return { _tag: "Refused", recording: failed(cause) }
  }
}

/** How long the public ledger lies between reading the head of the chain and writing behind it. */
const publicGap = "3 millis"

/** The steps one after the other, with gaps between them, as the public ledger takes them. */
export const layerPublic: Layer.Layer<Recorder, never, LedgerSettings | NodeSqlite | Store> = Layer.effect(
  Recorder,
  Effect.gen(function* () {
    const steps = yield* makeSteps

    const record = Effect.fnUntraced(function* (untimed: RecordRequest) {
      const request: Timed = { ...untimed, now: yield* Clock.currentTimeMillis }
      const replayed = steps.replay(request)
      if (replayed !== undefined) return replayed
      const standing = steps.standingOf(request)
      const refused = steps.refuse(request, standing)
      if (refused !== undefined) return refused
      const decision = readSafely(request.body)
      if (decision._tag === "Refused") return decision.recording
      const head = steps.store.head(request.caller.tenantId)
      yield* Effect.sleep(publicGap)
      const appended = steps.sqlite.transaction(() =>
        steps.store.appendAfterStale(steps.draft(request, decision), head)
      )
      return steps.answer(request, appended, standing)
    })

    return { record: (request) => Effect.catchDefect(record(request), (defect) => Effect.succeed(failed(defect))) }
  })
)
