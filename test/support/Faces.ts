/**
 * The two faces of the SDK behind one interface, so that the recording suite is written once.
 */
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import { Xase } from "../../src/client/Xase.ts"
import type { Decision } from "../../src/decision/Decision.ts"
import type { Stats } from "../../src/delivery/Delivery.ts"
import { CurrentObserver } from "../../src/delivery/Settlement.ts"
import { type OutboxOptions, XaseClient, XaseError } from "../../src/promise.ts"
import type { Options } from "../../src/settings/XaseConfig.ts"

/** How a record settled, in words that both faces know: `delivered` or the code of an error. */
export interface Seen {
  readonly code: string
  readonly key: string
}

export interface Face {
  readonly record: (decision: Decision, options?: CallOptions) => Effect.Effect<void, { readonly code: string }>
  /** Succeeds with the ledger's transaction id. */
  readonly recordNow: (decision: Decision, options?: CallOptions) => Effect.Effect<string, { readonly code: string }>
  readonly flush: (millis: number) => Effect.Effect<void, { readonly code: string }>
  readonly stats: Effect.Effect<Stats>
  readonly close: Effect.Effect<void>
  readonly setApiKey: (key: string) => Effect.Effect<void>
  /** Everything that settled so far. */
  readonly settled: ReadonlyArray<Seen>
  /** Codes of the alerts so far: delivery is held because of them. */
  readonly alerts: ReadonlyArray<string>
  readonly logLines: ReadonlyArray<string>
}

export const apiKey = "xase_pk_canary0123456789abcdefghij"

export type FaceOptions = Omit<
  Options,
  "apiKey" | "signer" | "timeout" | "maxRetryAfter" | "shutdownTimeout" | "outbox" | "rateLimit"
> & {
  readonly timeout?: number
  readonly maxRetryAfter?: number
  readonly shutdownTimeout?: number
  readonly apiKey?: string
  readonly outbox?: string | OutboxOptions<number, string>
}

/** What both faces take with a call. */
export interface CallOptions {
  readonly idempotencyKey?: string
  readonly timeout?: number
}

export const effectFace = Effect.fnUntraced(function* (options: FaceOptions) {
  const settled: Array<Seen> = []
  const alerts: Array<string> = []
  const logLines: Array<string> = []
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
  const context = yield* Layer.buildWithScope(
    Xase.layer({ apiKey, ...options }).pipe(
      Layer.provide(NodeHttpClient.layerUndici),
      Layer.provide([
        Layer.succeed(CurrentObserver, {
          onOutcome: (outcome) =>
            settled.push({
              key: outcome.idempotencyKey,
              code:
                outcome._tag === "Delivered"
                  ? "delivered"
                  : outcome._tag === "Failed"
                    ? outcome.error.code
                    : outcome.reason === "QueueFull"
                      ? "QUEUE_FULL"
                      : "QUEUE_CLOSED"
            }),
          onAlert: (alert) => alerts.push(alert.code)
        }),
        Logger.layer([Logger.make(({ message }) => void logLines.push(String(message)))])
      ])
    ),
    scope
  )
  const xase = yield* Effect.provide(Xase, context)
  const face: Face = {
    record: xase.record,
    recordNow: (decision, options) => Effect.map(xase.recordNow(decision, options), (receipt) => receipt.transactionId),
    flush: xase.flush,
    stats: xase.stats,
    close: Scope.close(scope, Exit.void),
    setApiKey: (key) => Effect.orDie(xase.setApiKey(key)),
    settled,
    alerts,
    logLines
  }
  return face
})

const attempt = <A>(call: () => Promise<A>): Effect.Effect<A, XaseError> =>
  Effect.tryPromise({
    try: call,
    catch: (error) => {
      if (error instanceof XaseError) return error
      throw error
    }
  })

export const promiseFace = Effect.fnUntraced(function* (options: FaceOptions) {
  const settled: Array<Seen> = []
  const alerts: Array<string> = []
  const logLines: Array<string> = []
  const client = new XaseClient({
    apiKey,
    ...options,
    exitHandlers: false,
    onSuccess: (_, about) => settled.push({ code: "delivered", key: about.idempotencyKey }),
    onError: (error, about) => {
      if (error.kept) alerts.push(error.code)
      else if (about !== undefined) settled.push({ code: error.code, key: about.idempotencyKey })
    },
    logger: (line) => logLines.push(line)
  })
  yield* Effect.addFinalizer(() => Effect.promise(() => client.close()))
  const face: Face = {
    record: (decision, options) => Effect.asVoid(attempt(() => client.record(decision, options))),
    recordNow: (decision, options) =>
      Effect.map(
        attempt(() => client.record(decision, { ...options, skipQueue: true })),
        (result) => result.transaction_id
      ),
    flush: (millis) => attempt(() => client.flush(millis)),
    stats: Effect.sync(() => client.getStats()),
    close: Effect.promise(() => client.close()),
    setApiKey: (key) => Effect.sync(() => client.setApiKey(key)),
    settled,
    alerts,
    logLines
  }
  return face
})

export const faces = [
  ["Xase", effectFace],
  ["XaseClient", promiseFace]
] as const
