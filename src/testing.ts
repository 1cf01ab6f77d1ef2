/**
 * For the tests of applications: the whole client over a ledger in memory that shows what was recorded.
 *
 * No socket, no server, no API key. Decisions are validated, encoded, queued and delivered as ever; the ledger under them
 * chains and hashes like the real one, replays a used key, and fails on request. To test against a real server with faults
 * of the network, see `xase-sdk/ledger-server`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Client from "./client/Client.ts"
import { layerService, type Xase } from "./client/Xase.ts"
import { Verification } from "./contract/LedgerClaim.ts"
import { Receipt } from "./contract/Receipt.ts"
import type { RecordsPage, RecordsQuery } from "./contract/RecordsPage.ts"
import * as Journal from "./delivery/Journal.ts"
import * as Evidence from "./evidence/LedgerHash.ts"
import { Ledger } from "./ledger/Ledger.ts"
import * as XaseConfig from "./settings/XaseConfig.ts"
import { type ConfigurationError, type LedgerError, RecordNotFound } from "./XaseError.ts"

/** A decision as the ledger got it, with its wire names (`policyId`), and what the ledger made of it. */
export interface RecordedDecision {
  readonly policyId: string
  readonly input: Evidence.JsonObject
  readonly output: Evidence.JsonObject
  readonly context: Evidence.JsonObject
  /** Every field of the request body, `confidence` and the rest included. */
  readonly body: Evidence.JsonObject
  readonly idempotencyKey: string
  readonly receipt: Receipt
  readonly previousHash: string | null
}

/** What the ledger in memory holds, and what it shall do next. */
export interface Service {
  /** Everything that was recorded so far, in order. Fire-and-forget decisions arrive after a `flush`. */
  readonly all: Effect.Effect<ReadonlyArray<RecordedDecision>>
  /** Makes the next attempt fail with this error; called again, the one after it too. */
  readonly failNext: (error: LedgerError) => Effect.Effect<void>
}

/** The decisions that were recorded in a test, as data. */
export class RecordedDecisions extends Context.Service<RecordedDecisions, Service>()(
  "xase-sdk/testing/RecordedDecisions"
) {}

const makeLedger = Effect.sync(() => {
  const recorded: Array<RecordedDecision> = []
  const failures: Array<LedgerError> = []

  const append = (body: string, idempotencyKey: string, now: number): Receipt => {
    const replayed = recorded.find((decision) => decision.idempotencyKey === idempotencyKey)
    if (replayed !== undefined) return replayed.receipt
    const parsed: BodyFields = JSON.parse(body)
    const previousHash = recorded.at(-1)?.receipt.recordHash ?? null
    const number = (recorded.length + 1).toString(16).padStart(32, "0")
    const receipt = new Receipt({
      transactionId: `txn_${number}`,
      receiptUrl: `http://localhost/xase/receipt/txn_${number}`,
      timestamp: new Date(now).toISOString(),
      recordHash: hashOf(parsed, previousHash),
      chainPosition: previousHash === null ? "genesis" : "chained"
    })
    const { context, input, output, policyId } = parsed
    recorded.push({ policyId, input, output, context, body: { ...parsed }, idempotencyKey, receipt, previousHash })
    return receipt
  }

  const verify = (transactionId: string, now: number): Effect.Effect<Verification, RecordNotFound> => {
    const index = recorded.findIndex(({ receipt }) => receipt.transactionId === transactionId)
    const decision = recorded[index]
    if (decision === undefined) return Effect.fail(new RecordNotFound({ transactionId }))
    const { body, policyId, previousHash, receipt } = decision
    const next = recorded[index + 1]?.receipt.transactionId
    const isChained = hashOf(decision, previousHash) === receipt.recordHash
    return Effect.succeed(
      new Verification({
        transactionId,
        isValid: isChained,
        status: isChained ? "VERIFIED" : "TAMPERED",
        checks: {
          inputHash: true,
          outputHash: true,
          contextHash: true,
          chainIntegrity: isChained,
          payloadAvailable: true
        },
        metadata: {
          timestamp: receipt.timestamp,
          policy: policyId,
          policyVersion: textOrNull(body.policyVersion),
          decisionType: textOrNull(body.decisionType),
          confidence: numberOrNull(body.confidence),
          processingTime: numberOrNull(body.processingTime)
        },
        chain: {
          previousHash,
          recordHash: receipt.recordHash,
          isGenesis: previousHash === null,
          hasNext: next !== undefined,
          ...(next === undefined ? {} : { nextTransactionId: next })
        },
        verifiedAt: new Date(now).toISOString()
      })
    )
  }

  return { recorded, failures, append, verify }
})

interface BodyFields {
  readonly policyId: string
  readonly input: Evidence.JsonObject
  readonly output: Evidence.JsonObject
  readonly context: Evidence.JsonObject
}

const hashOf = (payload: Pick<BodyFields, "input" | "output" | "context">, previousHash: string | null): string =>
  Evidence.recordHash({
    previousHash,
    inputHash: Evidence.hashObject(payload.input),
    outputHash: Evidence.hashObject(payload.output),
    contextHash: Evidence.hashObject(payload.context)
  })

/** The ledger's list, newest first. */
const pageOf = (
  recorded: ReadonlyArray<RecordedDecision>,
  { limit = 20, page = 1, policy, search }: RecordsQuery
): RecordsPage => {
  const found = recorded
    .filter(
      ({ policyId, receipt }) => (policy ?? policyId) === policyId && receipt.transactionId.includes(search ?? "")
    )
    .reverse()
  return {
    records: found.slice((page - 1) * limit, page * limit).map(({ body, policyId, receipt }) => ({
      transactionId: receipt.transactionId,
      policy: policyId,
      policyVersion: textOrNull(body.policyVersion),
      decisionType: textOrNull(body.decisionType),
      confidence: numberOrNull(body.confidence),
      processingTime: numberOrNull(body.processingTime),
      timestamp: receipt.timestamp,
      recordHash: receipt.recordHash
    })),
    pagination: { page, limit, total: found.length, pages: Math.ceil(found.length / limit) }
  }
}

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null)
const numberOrNull = (value: unknown): number | null => (typeof value === "number" ? value : null)

const layerLedger: Layer.Layer<Ledger | RecordedDecisions> = Layer.effectContext(
  Effect.map(makeLedger, ({ append, failures, recorded, verify }) =>
    Context.make(Ledger, {
      append: (record) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const failure = failures.shift()
          return failure === undefined
            ? Effect.sync(() => append(record.body, record.idempotencyKey, now))
            : Effect.fail(failure)
        }),
      verify: (transactionId) => Effect.flatMap(Clock.currentTimeMillis, (now) => verify(transactionId, now)),
      list: (query) => Effect.sync(() => pageOf(recorded, query)),
      setApiKey: () => Effect.void
    }).pipe(
      Context.add(RecordedDecisions, {
        all: Effect.sync(() => [...recorded]),
        failNext: (error) => Effect.sync(() => void failures.push(error))
      })
    )
  )
)

/**
 * {@link Xase} over a ledger in memory, with the {@link RecordedDecisions} to look at.
 *
 * **Example**
 *
 * ```ts
 * it.effect("records each approval", () => Effect.gen(function*() {
 *   yield* approve(application)
 *   yield* Xase.use((xase) => xase.flush())
 *   const [decision] = yield* (yield* RecordedDecisions).all
 *   assert.deepStrictEqual(decision.output, { approved: true })
 * }).pipe(Effect.provide(layerTest())))
 * ```
 */
export const layerTest = (
  options: XaseConfig.Options = {}
): Layer.Layer<Xase | RecordedDecisions, ConfigurationError> =>
  layerService.pipe(
    Layer.provide(Client.layerOverLedger),
    Layer.provide(Journal.layer),
    Layer.provideMerge(layerLedger),
    Layer.provide(XaseConfig.layer({ apiKey: `xase_pk_${"test".repeat(6)}`, outbox: "memory", ...options }))
  )
