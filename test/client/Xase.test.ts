/**
 * What only the Effect API promises: layers, typed errors, streams, spans and metrics.
 */

import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import {
  Config,
  ConfigProvider,
  Duration,
  Effect,
  Fiber,
  Layer,
  Metric,
  Option,
  Redacted,
  Stream,
  Tracer
} from "effect"
import { FetchHttpClient } from "effect/http"
import { type ConfigurationError, type RateLimitExceeded, Xase, XaseLive } from "../../src/index.ts"
import { apiKey } from "../support/Faces.ts"
import * as ScriptedLedger from "../support/ScriptedLedger.ts"
import { answer, receipt, sequence } from "../support/ScriptedLedger.ts"

const decision = { policy: "credit_policy_v4", input: { score: 720 }, output: { approved: true }, confidence: 0.94 }

const environment = (variables: { readonly [name: string]: string }) =>
  ConfigProvider.layer(ConfigProvider.fromEnv({ env: variables }))

const live = (ledger: ScriptedLedger.ScriptedLedger, variables: { readonly [name: string]: string } = {}) =>
  XaseLive.pipe(Layer.provide(environment({ XASE_API_KEY: apiKey, XASE_BASE_URL: ledger.baseUrl, ...variables })))

describe("XaseLive", () => {
  it.live("takes its settings from the environment and delivers before its scope has closed", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped()
      yield* Xase.use((xase) => xase.record(decision)).pipe(Effect.provide(live(ledger, { XASE_ENV: "production" })))
      assert.strictEqual(ledger.requests.length, 1)
      assert.strictEqual(JSON.parse(ledger.requests[0]?.body ?? "").context.env, "production")
    })
  )

  it.live("an application matches RateLimitExceeded by its tag", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped(answer(429, { retry_after: 3_600 }))
      const waiting = yield* Xase.use((xase) => xase.recordNow(decision)).pipe(
        Effect.as("recorded"),
        Effect.catchTag("RateLimitExceeded", (error: RateLimitExceeded) =>
          Effect.succeed(`try again in ${Duration.format(error.retryAfter)}`)
        ),
        Effect.provide(live(ledger))
      )
      assert.strictEqual(waiting, "try again in 1h")
    })
  )

  it.effect("a missing key is a ConfigurationError in the layer's error channel", () =>
    Effect.gen(function* () {
      const program: Effect.Effect<Xase["Service"], ConfigurationError> = Effect.provide(
        Xase,
        XaseLive.pipe(Layer.provide(environment({})))
      )
      const error = yield* Effect.flip(program)
      assert.strictEqual(error.code, "MISSING_API_KEY")
      assert.include(error.message, "XASE_API_KEY")
    })
  )
})

describe("Xase.layer", () => {
  it.live("works over fetch too, and does not follow a redirect there either (R21)", () =>
    Effect.gen(function* () {
      const target = yield* ScriptedLedger.scoped()
      const ledger = yield* ScriptedLedger.scoped(sequence([receipt, answer(307, "", { location: target.baseUrl })]))
      const failure = yield* Xase.use((xase) =>
        Effect.andThen(xase.recordNow(decision), Effect.flip(xase.recordNow(decision)))
      ).pipe(Effect.provide(Xase.layer({ apiKey, baseUrl: ledger.baseUrl })), Effect.provide(FetchHttpClient.layer))
      assert.strictEqual(failure._tag, "RequestFailed")
      assert.strictEqual(target.requests.length, 0)
    })
  )

  it.live("layerConfig reads an application's own Config", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped()
      const layer = Xase.layerConfig({
        apiKey: Config.Redacted("LEDGER_KEY"),
        baseUrl: Config.String("LEDGER_URL"),
        maxRetries: Config.succeed(0)
      }).pipe(
        Layer.provide(NodeHttpClient.layerUndici),
        Layer.provide(environment({ LEDGER_KEY: apiKey, LEDGER_URL: ledger.baseUrl }))
      )
      yield* Effect.provide(
        Xase.use((xase) => xase.recordNow(decision)),
        layer
      )
      assert.strictEqual(ledger.requests[0]?.headers["x-api-key"], apiKey)
      const missing = Xase.layerConfig({ apiKey: Config.Redacted("NOT_THERE") }).pipe(
        Layer.provide(NodeHttpClient.layerUndici),
        Layer.provide(environment({}))
      )
      const error = yield* Effect.flip(Effect.provide(Xase, missing))
      assert.strictEqual(error._tag, "ConfigurationError")
      assert.include(error.message, "NOT_THERE")
    })
  )

  it.live("a key given as Redacted is used, and stays hidden", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped()
      const layer = Xase.layer({ apiKey: Redacted.make(apiKey), baseUrl: ledger.baseUrl }).pipe(
        Layer.provide(NodeHttpClient.layerUndici)
      )
      yield* Effect.provide(
        Xase.use((xase) => xase.recordNow(decision)),
        layer
      )
      assert.strictEqual(ledger.requests[0]?.headers["x-api-key"], apiKey)
    })
  )

  it.live("outcomes tells how each record settled", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped(sequence([receipt, answer(400, { error: "no" })]))
      const tags = yield* Effect.gen(function* () {
        const xase = yield* Xase
        const collecting = yield* Effect.forkChild(
          xase.outcomes.pipe(
            Stream.take(2),
            Stream.map((outcome) => outcome._tag),
            Stream.runCollect
          ),
          { startImmediately: true }
        )
        yield* xase.record(decision)
        yield* xase.record(decision)
        return yield* Fiber.join(collecting)
      }).pipe(Effect.provide(live(ledger)))
      assert.deepStrictEqual([...tags], ["Delivered", "Failed"])
    })
  )

  it.live("a recordNow that its caller interrupts settles as dropped and aborts its request", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped(ScriptedLedger.stall)
      const stats = yield* Effect.gen(function* () {
        const xase = yield* Xase
        const recording = yield* Effect.forkChild(xase.recordNow(decision), { startImmediately: true })
        while (ledger.requests.length === 0) yield* Effect.sleep(2)
        yield* Fiber.interrupt(recording)
        while (ledger.inFlight() > 0) yield* Effect.sleep(2)
        return yield* xase.stats
      }).pipe(Effect.provide(live(ledger)))
      assert.deepStrictEqual([stats.accepted, stats.dropped.Interrupted, stats.inFlight], [1, 1, 0])
    })
  )
})

describe("observability", () => {
  const spyTracer = () => {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    return { spans, layer: Layer.succeed(Tracer.Tracer, tracer) }
  }

  it.live("xase.deliver is linked to xase.record, whose ids are in the record; no request span, no trace header", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped()
      const { layer, spans } = spyTracer()
      yield* Xase.use((xase) => xase.record(decision)).pipe(
        Effect.withSpan("application"),
        Effect.provide(live(ledger)),
        Effect.provide(layer)
      )
      assert.deepStrictEqual(spans.map((span) => span.name).sort(), ["application", "xase.deliver", "xase.record"])
      const recording = spans.find((span) => span.name === "xase.record")
      const delivering = spans.find((span) => span.name === "xase.deliver")
      assert.strictEqual(delivering?.links[0]?.span.spanId, recording?.spanId)
      assert.isTrue(Option.isNone(delivering?.parent ?? Option.none()))
      const { context } = JSON.parse(ledger.requests[0]?.body ?? "")
      assert.strictEqual(context.trace_id, recording?.traceId)
      assert.strictEqual(context.span_id, recording?.spanId)
      assert.isUndefined(ledger.requests[0]?.headers.traceparent)
      const everything = JSON.stringify(spans.map((span) => [span.name, [...span.attributes.entries()]]))
      assert.notInclude(everything, apiKey)
      assert.notInclude(everything, "720")
    })
  )

  it.live("counts accepted, delivered, failed and retried records", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped(sequence([answer(500), receipt, answer(400)]))
      const registry = Layer.sync(Metric.MetricRegistry, () => new Map())
      const dump = yield* Effect.gen(function* () {
        const xase = yield* Xase
        yield* xase.record(decision)
        yield* xase.record(decision)
        yield* xase.flush()
        return yield* Metric.snapshot
      }).pipe(Effect.provide(live(ledger)), Effect.provide(registry))
      const counts = Object.fromEntries(
        dump
          .filter((metric) => metric.type === "Counter")
          .map((metric) => [[metric.id, ...Object.values(metric.attributes ?? {})].join(" "), metric.state.count])
      )
      assert.deepStrictEqual(counts, {
        xase_records_accepted_total: 2,
        "xase_records_settled_total delivered": 1,
        "xase_records_settled_total failed": 1,
        xase_delivery_retries_total: 1
      })
      assert.isTrue(dump.some((metric) => metric.id === "xase_delivery_time"))
    })
  )
})
