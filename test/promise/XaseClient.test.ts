/**
 * What only the Promise facade promises: the shapes of the original SDK, callbacks, and construction.
 */
import { inspect } from "node:util"
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Effect } from "effect"
import { type RecordPayload, type RecordResult, XaseClient, XaseError } from "../../src/promise.ts"
import { apiKey } from "../support/Faces.ts"
import * as ScriptedLedger from "../support/ScriptedLedger.ts"
import { answer, heldBack, receipt, sequence } from "../support/ScriptedLedger.ts"

const payload = (n = 0): RecordPayload => ({ policy: "credit_policy_v4", input: { n }, output: { approved: true } })

type Config = ConstructorParameters<typeof XaseClient>[0]

const setUp = (reply: ScriptedLedger.Reply = receipt, config: Config = {}) =>
  Effect.gen(function* () {
    const ledger = yield* ScriptedLedger.scoped(reply)
    const client = yield* Effect.acquireRelease(
      Effect.sync(
        () => new XaseClient({ apiKey, baseUrl: ledger.baseUrl, exitHandlers: false, shutdownTimeout: 100, ...config })
      ),
      (client) => Effect.promise(() => client.close())
    )
    return { ledger, client }
  })

const thrownBy = (call: () => unknown): XaseError => {
  try {
    call()
  } catch (error) {
    assert.instanceOf(error, XaseError)
    return error
  }
  throw new Error("nothing was thrown")
}

const rejectionOf = (promise: Promise<unknown>): Effect.Effect<XaseError> =>
  Effect.promise(() =>
    promise.then(
      () => assert.fail("was not rejected"),
      (error: unknown) => {
        assert.instanceOf(error, XaseError)
        return error
      }
    )
  )

/** Sets variables for the length of a test. */
const withEnvironment = (variables: { readonly [name: string]: string }) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
      Object.assign(process.env, variables)
      return before
    }),
    (before) =>
      Effect.sync(() => {
        for (const [name, value] of before) {
          if (value === undefined) delete process.env[name]
          else process.env[name] = value
        }
      })
  )

describe("XaseClient: results", () => {
  it.live("a queued record resolves with nothing, a direct one with the ledger's own words", () =>
    Effect.gen(function* () {
      const { client } = yield* setUp()
      assert.isUndefined(yield* Effect.promise(() => client.record(payload())))
      const result = yield* Effect.promise(() => client.record(payload(), { skipQueue: true }))
      expectTypeOf(result).toEqualTypeOf<RecordResult>()
      assert.deepStrictEqual(Object.keys(result).sort(), [
        "chain_position",
        "receipt_url",
        "record_hash",
        "success",
        "timestamp",
        "transaction_id"
      ])
      assert.isTrue(result.success)
    })
  )

  it.live("fireAndForget: false waits for every receipt, from the option and from the variable", () =>
    Effect.gen(function* () {
      const byOption = yield* setUp(receipt, { fireAndForget: false })
      assert.isDefined(yield* Effect.promise(() => byOption.client.record(payload())))
      yield* withEnvironment({ XASE_FIRE_AND_FORGET: "false" })
      const byVariable = yield* setUp()
      assert.isDefined(yield* Effect.promise(() => byVariable.client.record(payload())))
    })
  )

  it.live("getStats keeps the fields of the original SDK", () =>
    Effect.gen(function* () {
      const held = heldBack()
      const { client, ledger } = yield* setUp(held.reply)
      void client.record(payload(1))
      void client.record(payload(2))
      while (ledger.requests.length === 0) yield* Effect.sleep(2)
      const { closed, processing, size } = client.getStats()
      assert.deepStrictEqual({ closed, processing, size }, { closed: false, processing: true, size: 1 })
      held.release()
    })
  )

  it.live("verify says what the ledger says, and proves nothing by it", () =>
    Effect.gen(function* () {
      const answerOfLedger = {
        transaction_id: "txn_1",
        is_valid: true,
        status: "VERIFIED",
        verification: {
          input_hash: true,
          output_hash: true,
          context_hash: true,
          chain_integrity: true,
          payload_available: false
        },
        metadata: {
          timestamp: "2026-11-23T09:00:00.000Z",
          policy_id: "p",
          policy_version: null,
          decision_type: null,
          confidence: 0.9,
          processing_time: null
        },
        chain: { previous_hash: null, record_hash: "ab".repeat(32), is_genesis: true, has_next: false },
        tenant: { name: "Main Co" },
        checkpoint: null,
        verified_at: "2026-11-23T09:00:01.000Z"
      }
      const { client, ledger } = yield* setUp(
        sequence([answer(200, answerOfLedger), answer(403, {}), answer(404, { code: "NOT_FOUND" })])
      )
      const { checkpoint: _, tenant: __, ...known } = answerOfLedger
      const verdict = yield* Effect.promise(() => client.verify("txn_1"))
      assert.deepStrictEqual(verdict.ledger, known as never)
      assert.strictEqual(verdict.verdict, "indeterminate")
      assert.include(verdict.missing, "the record before it")
      assert.strictEqual(ledger.requests[0]?.url, "/api/xase/v1/verify/txn_1")
      assert.isUndefined(ledger.requests[0]?.headers["x-api-key"])
      const missing = yield* rejectionOf(client.verify("../records?x"))
      assert.strictEqual(missing.code, "NOT_FOUND")
      assert.strictEqual(ledger.requests[2]?.url, "/api/xase/v1/verify/..%2Frecords%3Fx")
    })
  )
})

describe("XaseClient: errors", () => {
  it.live("carry code, status, details and cause", () =>
    Effect.gen(function* () {
      const { client } = yield* setUp(answer(429, { retry_after: 3_600 }))
      const error = yield* rejectionOf(client.record(payload(), { skipQueue: true }))
      assert.strictEqual(error.code, "RATE_LIMIT_EXCEEDED")
      assert.strictEqual(error.statusCode, 429)
      assert.deepStrictEqual(error.details, { retryAfterMs: 3_600_000 })
      assert.strictEqual(error.evidence, "not recorded")
      assert.strictEqual((error.cause as { _tag?: string })._tag, "RateLimitExceeded")
      assert.strictEqual(error.name, "XaseError")
    })
  )

  it.live("an invalid decision rejects with all its issues, and onError hears of it too", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const { client } = yield* setUp(receipt, { onError: (error) => heard.push(error.code) })
      const error = yield* rejectionOf(client.record({ policy: "", input: { a: 1n }, output: {} }))
      assert.deepStrictEqual(
        (error.details as Array<{ path: string }>).map((issue) => issue.path),
        ["policy", "input.a"]
      )
      assert.deepStrictEqual(heard, ["VALIDATION_ERROR"])
    })
  )

  it.live("a bad timeout of a call is refused, with nothing queued (R26)", () =>
    Effect.gen(function* () {
      const { client } = yield* setUp()
      for (const timeout of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
        assert.strictEqual((yield* rejectionOf(client.record(payload(), { timeout }))).code, "VALIDATION_ERROR")
      }
      assert.strictEqual(client.getStats().accepted, 0)
    })
  )

  it.live("the deadline of a call is its own (R26)", () =>
    Effect.gen(function* () {
      const { client } = yield* setUp(ScriptedLedger.stall, { timeout: 60_000, maxRetries: 0 })
      const error = yield* rejectionOf(client.record(payload(), { skipQueue: true, timeout: 30 }))
      assert.strictEqual(error.code, "MAX_RETRIES")
      assert.deepStrictEqual(error.details, { attempts: 1, lastError: "TIMEOUT" })
    })
  )
})

describe("XaseClient: construction", () => {
  it.each([
    [{ apiKey: "" }, "MISSING_API_KEY", "apiKey"],
    [{ apiKey: "secret" }, "CONFIGURATION_ERROR", "apiKey"],
    [{ apiKey: `${apiKey}\r\nx: y` }, "CONFIGURATION_ERROR", "apiKey"],
    [{ baseUrl: "http://ledger.example.com/api" }, "CONFIGURATION_ERROR", "baseUrl"],
    [{ baseUrl: "ledger" }, "CONFIGURATION_ERROR", "baseUrl"],
    [{ maxRetries: -1 }, "CONFIGURATION_ERROR", "maxRetries"],
    [{ timeout: Number.NaN }, "CONFIGURATION_ERROR", "timeout"],
    [{ headers: { "Idempotency-Key": "mine" } }, "CONFIGURATION_ERROR", "headers"]
  ] as const)("%j: throws %s, naming the setting and the fix", (config, code, setting) => {
    const error = thrownBy(() => new XaseClient({ apiKey, exitHandlers: false, ...config }))
    assert.strictEqual(error.code, code)
    assert.include(error.message, setting)
    assert.notInclude(inspect(error, { depth: 9 }), "secret")
    assert.notInclude(inspect(error, { depth: 9 }), apiKey)
  })

  it.live("reads XASE_* variables, names a bad one, and an option wins over it", () =>
    Effect.gen(function* () {
      yield* withEnvironment({ XASE_API_KEY: apiKey, XASE_MAX_RETRIES: "many" })
      const error = thrownBy(() => new XaseClient())
      assert.include(error.message, "XASE_MAX_RETRIES")
      assert.include(error.message, '"many"')
      yield* Effect.promise(() => new XaseClient({ maxRetries: 0 }).close())
    })
  )

  it.live("shows nothing of itself (R32)", () =>
    Effect.gen(function* () {
      const { client } = yield* setUp()
      for (const text of [inspect(client, { showHidden: true, depth: 20 }), JSON.stringify(client), String(client)]) {
        assert.notInclude(text, apiKey)
      }
    })
  )

  it.live("another key is checked like the first", () =>
    Effect.gen(function* () {
      const { client } = yield* setUp()
      assert.strictEqual(thrownBy(() => client.setApiKey("short")).code, "CONFIGURATION_ERROR")
    })
  )

  it.live("await using closes it, delivering what waits", () =>
    Effect.gen(function* () {
      const ledger = yield* ScriptedLedger.scoped()
      yield* Effect.promise(async () => {
        await using client = new XaseClient({ apiKey, baseUrl: ledger.baseUrl })
        for (let n = 0; n < 20; n++) await client.record(payload(n))
      })
      assert.strictEqual(ledger.requests.length, 20)
    })
  )
})

describe("XaseClient: callbacks (R9)", () => {
  it.live("are told each result and each error with the decision it is about", () =>
    Effect.gen(function* () {
      const heard: Array<unknown> = []
      const { client } = yield* setUp(sequence([receipt, answer(400, { error: "no" })]), {
        onSuccess: (result, about) => heard.push([result.success, about.transactionId]),
        onError: (error, about) => heard.push([error.code, about?.transactionId])
      })
      void client.record({ ...payload(1), transactionId: "a" })
      void client.record({ ...payload(2), transactionId: "b" })
      yield* Effect.promise(() => client.flush())
      assert.deepStrictEqual(heard, [
        [true, "a"],
        ["VALIDATION_ERROR", "b"]
      ])
    })
  )

  const misbehaviours: ReadonlyArray<readonly [string, () => unknown]> = [
    [
      "throw",
      () => {
        throw new Error("callback")
      }
    ],
    ["reject", () => Promise.reject(new Error("callback"))],
    ["hang", () => new Promise(() => {})]
  ]
  it.live.each(misbehaviours)("that %s change nothing", ([name, callback]) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const { client } = yield* setUp(
        (request, response) => (request.index % 2 === 0 ? receipt : answer(400))(request, response),
        { onSuccess: callback, onError: callback, logger: (line) => lines.push(line) }
      )
      for (let n = 0; n < 20; n++) void client.record(payload(n))
      yield* Effect.promise(() => client.flush())
      const { delivered, failed } = client.getStats()
      assert.deepStrictEqual([delivered, failed], [10, 10])
      assert.strictEqual(lines.length, name === "hang" ? 0 : 1)
    })
  )

  it.live("may record, flush and close from within", () =>
    Effect.gen(function* () {
      let again = 0
      const { client } = yield* setUp(receipt, {
        shutdownTimeout: 5_000,
        onSuccess: () => {
          void client.flush()
          if (again++ < 5) void client.record(payload(again))
          else void client.close()
        }
      })
      void client.record(payload())
      while (!client.getStats().closed) yield* Effect.sleep(2)
      yield* Effect.promise(() => client.close())
      assert.deepStrictEqual([client.getStats().accepted, client.getStats().delivered], [6, 6])
    })
  )

  it.live("a logger that throws changes nothing, and without one nothing is written (R36)", () =>
    Effect.gen(function* () {
      const { client } = yield* setUp(sequence([answer(429, "", { "retry-after": "1" })]), {
        logger: () => {
          throw new Error("logger")
        }
      })
      void client.record(payload())
      yield* Effect.promise(() => client.flush())
      assert.strictEqual(client.getStats().delivered, 1)
    })
  )
})
