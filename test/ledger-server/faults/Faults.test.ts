/**
 * Faults on request: each does what it says, and what was committed is known.
 */
import { Agent } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Fault, FaultSettings, LedgerServer } from "../../../src/ledger-server/index.ts"
import * as client from "../client.ts"
import * as http from "../http.ts"
import { withLedger } from "../running.ts"

const decision = { input: { a: 1 }, output: { b: 2 } }
const total = (ledger: client.Target) => Effect.map(client.list(ledger), ({ pagination }) => pagination.total)

/** What one request meets, and how many records there are afterwards. */
const meet = (fault: Fault) =>
  withLedger({ faults: { sequence: [fault] } }, (ledger) =>
    Effect.gen(function* () {
      const outcome = yield* Effect.result(Effect.timeoutOption(client.post(ledger, decision), "500 millis"))
      const recorded = yield* total(ledger)
      assert.strictEqual((yield* client.post(ledger, decision)).status, 201, "the next request is normal")
      return { outcome, recorded }
    })
  )

const answered = (fault: Fault) =>
  Effect.map(meet(fault), ({ outcome, recorded }) => {
    assert(Result.isSuccess(outcome) && outcome.success._tag === "Some", "an answer was expected")
    return { received: outcome.success.value, recorded }
  })

const broken = (fault: Fault) =>
  Effect.map(meet(fault), ({ outcome, recorded }) => {
    assert(Result.isFailure(outcome), "a broken connection was expected")
    assert(outcome.failure._tag === "Broken")
    return { broken: outcome.failure, recorded }
  })

const stalled = (fault: Fault) =>
  Effect.map(meet(fault), ({ outcome, recorded }) => {
    assert(Result.isSuccess(outcome) && outcome.success._tag === "None", "no answer was expected")
    return { recorded }
  })

describe("answers", () => {
  it.live("with another status", () =>
    Effect.gen(function* () {
      const { received, recorded } = yield* answered({ type: "status", status: 503, headers: { "retry-after": "1" } })
      assert.strictEqual(received.status, 503)
      assert.strictEqual(received.headers["retry-after"], "1")
      assert.strictEqual(recorded, 0)
      const after = yield* answered({ type: "status", status: 500, commit: true, body: "<h1>oops</h1>" })
      assert.strictEqual(after.received.text, "<h1>oops</h1>")
      assert.strictEqual(after.recorded, 1)
    })
  )

  it.live("with every form of later", () =>
    Effect.gen(function* () {
      const later = (form: Extract<Fault, { readonly type: "rate-limit" }>["later"], seconds = 30) =>
        Effect.map(answered({ type: "rate-limit", later: form, seconds }), ({ received }) => {
          assert.strictEqual(received.status, 429)
          return received
        })
      assert.strictEqual((yield* later("retry-after-seconds")).headers["retry-after"], "30")
      const date = Date.parse(String((yield* later("retry-after-date", 86_400)).headers["retry-after"]))
      assert.isAbove(date, Date.now() + 80_000_000)
      assert.strictEqual(Object(http.json(yield* later("body"))).retry_after, 30)
      assert.match(String((yield* later("reset-seconds")).headers["x-ratelimit-reset"]), /^\d{10}$/)
      assert.match(String((yield* later("reset-millis")).headers["x-ratelimit-reset"]), /^\d{13}$/)
      assert.strictEqual((yield* later("reset-delta")).headers["x-ratelimit-reset"], "30")
      const none = yield* later("none")
      assert.isUndefined(none.headers["retry-after"])
      assert.isUndefined(Object(http.json(none)).retry_after)
    })
  )

  it.live("with a redirect, an alien body or a gzip bomb", () =>
    Effect.gen(function* () {
      const redirect = yield* answered({ type: "redirect", location: "http://127.0.0.1:9/", status: 308 })
      assert.strictEqual(redirect.received.status, 308)
      assert.strictEqual(redirect.received.headers.location, "http://127.0.0.1:9/")
      const alien = yield* answered({ type: "alien-body", body: "<html>", contentType: "text/html" })
      assert.strictEqual(alien.received.status, 201)
      assert.strictEqual(alien.received.text, "<html>")
      assert.strictEqual(alien.recorded, 1)
      const bomb = yield* answered({ type: "gzip-bomb", megabytes: 20 })
      assert.strictEqual(bomb.received.headers["content-encoding"], "gzip")
      assert.isBelow(Number(bomb.received.headers["content-length"]), 30_000)
    })
  )
})

describe("broken connections", () => {
  it.live("reset before the answer, with nothing recorded", () =>
    Effect.gen(function* () {
      const { broken: error, recorded } = yield* broken({ type: "reset" })
      assert.strictEqual(error.code, "ECONNRESET")
      assert.strictEqual(error.received, "")
      assert.strictEqual(recorded, 0)
    })
  )

  it.live("reset after commit: the answer is lost, the record is not", () =>
    Effect.gen(function* () {
      const { broken: error, recorded } = yield* broken({ type: "reset", commit: true })
      assert.strictEqual(error.received, "")
      assert.strictEqual(recorded, 1)
    })
  )

  it.live("reset or ended inside the answer", () =>
    Effect.gen(function* () {
      for (const fault of [{ type: "reset", when: "inside" }, { type: "truncate" }] as const) {
        const { broken: error, recorded } = yield* broken(fault)
        assert.include(error.received, '{"success":true')
        assert.notInclude(error.received, "chain_position")
        assert.strictEqual(recorded, 1)
      }
    })
  )

  it.live("stall before the headers or inside the body", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* stalled({ type: "stall" })).recorded, 0)
      assert.strictEqual((yield* stalled({ type: "stall", where: "body" })).recorded, 1)
    })
  )

  it.live("a lost answer and a retry with the same key make one record", () =>
    withLedger({ faults: { sequence: [{ type: "reset", commit: true }] } }, (ledger) =>
      Effect.gen(function* () {
        const headers = { "idempotency-key": "exactly_once_0001" }
        assert.isTrue(Exit.isFailure(yield* Effect.exit(client.post(ledger, decision, headers))))
        const again = yield* client.post(ledger, decision, headers)
        assert.strictEqual(again.headers["x-idempotency-replay"], "true")
        assert.strictEqual(yield* total(ledger), 1)
      })
    )
  )

  it.live("do not keep a closing ledger open", () =>
    Effect.gen(function* () {
      const agent = new Agent({ keepAlive: true })
      yield* withLedger({ faults: { always: { type: "stall", where: "body" }, on: "all" } }, (ledger) =>
        Effect.forEach(
          Array.from({ length: 3 }, () => http.send(ledger.origin, { path: "/xase/records", agent })),
          (request) => Effect.forkDetach(Effect.exit(request)),
          { discard: true }
        ).pipe(Effect.andThen(Effect.sleep("50 millis")))
      ).pipe(Effect.timeout("5 seconds"))
      agent.destroy()
    })
  )
})

describe("settings", () => {
  const statuses = (ledger: LedgerServer["Service"], count: number) =>
    Effect.forEach(Array.from({ length: count }), () =>
      Effect.map(client.post(ledger, decision), ({ status }) => status)
    )

  it.live("a sequence is used up in order, then always holds, until all is replaced", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        yield* ledger.setFaults({
          sequence: [{ type: "status", status: 500 }, { type: "none" }, { type: "status", status: 502 }],
          always: { type: "status", status: 503 }
        })
        assert.deepStrictEqual(yield* statuses(ledger, 4), [500, 201, 502, 503])
        assert.deepStrictEqual((yield* ledger.faults).sequence, [])
        yield* ledger.setFaults({})
        assert.deepStrictEqual(yield* statuses(ledger, 1), [201])
      })
    )
  )

  it.live("rates add up, and touch only POST /records unless told otherwise", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const half = (status: number) => ({ fault: { type: "status", status }, rate: 0.5 }) as const
        yield* ledger.setFaults({ rates: [half(500), half(503)] })
        const seen = new Set(yield* statuses(ledger, 40))
        assert.deepStrictEqual(seen, new Set([500, 503]))
        assert.strictEqual(yield* total(ledger), 0)
        yield* ledger.setFaults({ always: { type: "status", status: 502 }, on: "all" })
        assert.strictEqual((yield* http.send(ledger.origin, { path: "/xase/records" })).status, 502)
      })
    )
  )

  it.live("that make no sense are refused by name, at the start and later", () =>
    withLedger({}, (ledger) =>
      Effect.gen(function* () {
        const settings: FaultSettings = { latency: -1, rates: [{ fault: { type: "none" }, rate: 2 }] }
        const refused = yield* Effect.flip(ledger.setFaults(settings))
        assert.strictEqual(refused._tag, "InvalidFaults")
        assert.include(refused.message, "latency")
        assert.include(refused.message, "rate")
        const failed = yield* Effect.flip(withLedger({ faults: settings }, () => Effect.void))
        assert.strictEqual(failed._tag, "LedgerStartFailed")
      })
    )
  )
})
