/**
 * What recording promises, written once and run against both faces over a real socket.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { Decision } from "../src/decision/Decision.ts"
import { apiKey, type Face, faces } from "./support/Faces.ts"
import * as ScriptedLedger from "./support/ScriptedLedger.ts"
import { answer, heldBack, receipt, sequence } from "./support/ScriptedLedger.ts"

const decision = (n: number): Decision => ({
  policy: "credit_policy_v4",
  input: { n },
  output: { approved: n % 2 === 0 }
})

const numbers = (ledger: ScriptedLedger.ScriptedLedger): ReadonlyArray<unknown> =>
  ledger.requests.map((request) => request.input.n)

const recordAll = (face: Face, count: number, from = 0) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => index + from),
    (n) => face.record(decision(n)),
    { discard: true }
  )

/** Waits, in real time, for something that another part of the process is about to do. */
const until = (condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (condition() ? Effect.void : Effect.andThen(Effect.sleep(2), until(condition))))

const assertConserved = (face: Face) =>
  Effect.map(face.stats, ({ accepted, delivered, dropped, failed, inFlight, pending }) =>
    assert.strictEqual(
      accepted,
      delivered + failed + dropped.QueueFull + dropped.Shutdown + dropped.Interrupted + pending + inFlight
    )
  )

const codes = (face: Face): ReadonlyArray<string> => face.settled.map((seen) => seen.code)

describe.each(faces)("recording through %s", (_, makeFace) => {
  const setUp = Effect.fnUntraced(function* (
    reply: ScriptedLedger.Reply = receipt,
    options: Parameters<typeof makeFace>[0] = {}
  ) {
    const ledger = yield* ScriptedLedger.scoped(reply)
    const face = yield* makeFace({ baseUrl: ledger.baseUrl, shutdownTimeout: 200, ...options })
    return { ledger, face }
  })

  describe("delivery", () => {
    it.live("delivers in order, one request in flight, and settles each once (R1, R24, R25)", () =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp()
        yield* recordAll(face, 200)
        yield* assertConserved(face)
        yield* face.flush(20_000)
        assert.deepStrictEqual(
          numbers(ledger),
          Array.from({ length: 200 }, (_, n) => n)
        )
        assert.strictEqual(ledger.maxInFlight(), 1)
        assert.strictEqual(new Set(face.settled.map((seen) => seen.key)).size, 200)
        assert.isTrue(codes(face).every((code) => code === "delivered"))
        yield* assertConserved(face)
      })
    )

    it.live("returns from record while the ledger is still answering (R12)", () =>
      Effect.gen(function* () {
        const held = heldBack()
        const { face, ledger } = yield* setUp(held.reply)
        yield* face.record(decision(1))
        yield* until(() => ledger.requests.length === 1)
        const stats = yield* face.stats
        assert.deepStrictEqual([stats.accepted, stats.delivered, stats.inFlight], [1, 0, 1])
        held.release()
        yield* face.flush(5_000)
        assert.deepStrictEqual(codes(face), ["delivered"])
      })
    )

    it.live("starts sending with the first record, without any other call (R2, R13)", () =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp()
        yield* face.record(decision(1))
        yield* until(() => ledger.requests.length === 1)
        yield* face.flush(5_000)
        yield* face.record(decision(2))
        yield* until(() => face.settled.length === 2)
      })
    )

    it.live("sends what the contract asks for and nothing that it forbids (R18, R34)", () =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp(
          answer(201, ScriptedLedger.receiptBody(), { "set-cookie": "x-csrf-token=1; path=/" }),
          { headers: { "X-Team": "risk" } }
        )
        yield* face.recordNow(decision(1))
        yield* face.recordNow(decision(2), { idempotencyKey: "my-own-key-0001234" })
        const [first, second] = ledger.requests
        assert.strictEqual(first?.method, "POST")
        assert.strictEqual(first?.url, "/api/xase/v1/records")
        assert.strictEqual(first?.headers["x-api-key"], apiKey)
        assert.strictEqual(first?.headers["content-type"], "application/json")
        assert.strictEqual(first?.headers["x-team"], "risk")
        assert.match(first?.key ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
        assert.strictEqual(second?.key, "my-own-key-0001234")
        for (const name of ["cookie", "traceparent", "b3", "content-encoding", "authorization"]) {
          assert.isUndefined(second?.headers[name], name)
        }
      })
    )

    it.live("keeps the order of starting with more requests in flight", () =>
      Effect.gen(function* () {
        const held = heldBack()
        const { face, ledger } = yield* setUp(held.reply, { concurrency: 4 })
        yield* recordAll(face, 100)
        yield* until(() => ledger.inFlight() === 4)
        assert.deepStrictEqual([...numbers(ledger)].sort(), [0, 1, 2, 3])
        held.release()
        yield* face.flush(10_000)
        assert.strictEqual(new Set(numbers(ledger)).size, 100)
        assert.strictEqual(ledger.maxInFlight(), 4)
      })
    )
  })

  describe("faults that pass", () => {
    const cases: ReadonlyArray<readonly [name: string, reply: ScriptedLedger.Reply]> = [
      ["500", answer(500, { error: "Internal", code: "INTERNAL_ERROR" })],
      ["502 with HTML", answer(502, "<html>Bad gateway</html>", { "content-type": "text/html" })],
      ["503", answer(503)],
      ["504", answer(504)],
      ["408", answer(408)],
      ["425", answer(425)],
      ["401 because its database is down", answer(401, { error: "Authentication error", code: "UNAUTHORIZED" })],
      ["reset before the answer (R19)", ScriptedLedger.reset],
      ["reset inside the body", ScriptedLedger.resetInBody],
      ["truncated 201 (R22)", ScriptedLedger.truncated],
      ["200 with HTML (R22)", answer(200, "<html>Welcome</html>", { "content-type": "text/html" })],
      ["204", answer(204)],
      ["201 without a receipt", answer(201, { success: true })],
      [
        "201 with a receipt that is none",
        answer(201, { ...JSON.parse(ScriptedLedger.receiptBody()), record_hash: "xyz" })
      ],
      ["a gzip bomb", ScriptedLedger.gzipBomb],
      ["stalled answer (R20)", ScriptedLedger.stall],
      ["stalled body (R20)", ScriptedLedger.stallInBody],
      ["endless body", ScriptedLedger.endless]
    ]
    it.live.each(cases)("%s: sent again with the same key, then delivered", ([, reply]) =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp(sequence([reply]), { timeout: 400 })
        yield* recordAll(face, 2)
        yield* face.flush(10_000)
        assert.deepStrictEqual(numbers(ledger), [0, 0, 1])
        assert.strictEqual(ledger.requests[0]?.key, ledger.requests[1]?.key)
        assert.strictEqual(ledger.requests[0]?.body, ledger.requests[1]?.body)
        assert.deepStrictEqual(codes(face), ["delivered", "delivered"])
        assert.strictEqual((yield* face.stats).retries, 1)
      })
    )

    it.live("a 500 that outlasts its retries is the record's own: it fails, the next one flows", () =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp(
          (request, response) => (request.input.n === 0 ? answer(500) : receipt)(request, response),
          { maxRetries: 1 }
        )
        yield* recordAll(face, 2)
        yield* face.flush(10_000)
        assert.deepStrictEqual(numbers(ledger), [0, 0, 1])
        assert.deepStrictEqual(codes(face), ["MAX_RETRIES", "delivered"])
        assert.deepStrictEqual(face.alerts, [])
      })
    )

    it.live("no retries at all when told so (R26)", () =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp(answer(500), { maxRetries: 0 })
        yield* face.record(decision(1))
        yield* face.flush(10_000)
        assert.strictEqual(ledger.requests.length, 1)
        assert.deepStrictEqual(codes(face), ["MAX_RETRIES"])
      })
    )
  })

  it.live("a receipt with a byte order mark and unknown fields is a receipt", () =>
    Effect.gen(function* () {
      const body = `\ufeff${JSON.stringify({ ...JSON.parse(ScriptedLedger.receiptBody()), more: { a: 1 } }).replace("{", '{"__proto__":{"x":1},')}`
      const { face, ledger } = yield* setUp(answer(201, body))
      assert.match(yield* face.recordNow(decision(1)), /^txn_/)
      assert.strictEqual(ledger.requests.length, 1)
    })
  )

  describe("final answers", () => {
    const cases = [
      [400, { error: "Validation error", code: "VALIDATION_ERROR", details: [] }, "VALIDATION_ERROR"],
      [400, { error: "Bad key", code: "INVALID_IDEMPOTENCY_KEY" }, "INVALID_IDEMPOTENCY_KEY"],
      [404, "<html>", "NOT_FOUND"],
      [405, "", "REQUEST_FAILED"],
      [409, { code: "IDEMPOTENCY_CONFLICT" }, "IDEMPOTENCY_CONFLICT"],
      [413, "", "REQUEST_FAILED"],
      [422, "", "VALIDATION_ERROR"]
    ] as const
    it.live.each(cases)("%s settles that record and the next one flows (R23)", ([status, body, code]) =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp(sequence([answer(status, body)]))
        yield* recordAll(face, 2)
        yield* face.flush(10_000)
        assert.deepStrictEqual(numbers(ledger), [0, 1])
        assert.deepStrictEqual(codes(face), [code, "delivered"])
      })
    )

    it.live("a redirect is never followed, and its target sees nothing (R21)", () =>
      Effect.gen(function* () {
        const target = yield* ScriptedLedger.scoped()
        const redirects = [301, 302, 307, 308].map((status) => answer(status, "", { location: target.baseUrl }))
        const { face, ledger } = yield* setUp(sequence(redirects))
        yield* recordAll(face, 5)
        yield* face.flush(10_000)
        assert.deepStrictEqual(numbers(ledger), [0, 1, 2, 3, 4])
        assert.strictEqual(target.requests.length, 0)
        assert.deepStrictEqual(codes(face).slice(0, 4), Array(4).fill("REQUEST_FAILED"))
      })
    )
  })

  describe("a ledger that refuses the key", () => {
    it.live.each([
      [401, { error: "Invalid API key", code: "UNAUTHORIZED" }, "UNAUTHORIZED"],
      [402, { code: "LIMIT_EXCEEDED", usage: { used: 10, limit: 10, tier: "free" } }, "LIMIT_EXCEEDED"],
      [403, { code: "FORBIDDEN", required_permission: "ingest" }, "FORBIDDEN"]
    ] as const)(
      "%s: one alert, records kept, nothing hammered; another key lets them flow (R23)",
      ([status, body, code]) =>
        Effect.gen(function* () {
          const goodKey = "xase_pk_good567890123456789012345"
          const { face, ledger } = yield* setUp((request, response) =>
            (request.headers["x-api-key"] === goodKey ? receipt : answer(status, body))(request, response)
          )
          yield* recordAll(face, 20)
          yield* until(() => face.alerts.length > 0)
          const failure = yield* Effect.flip(face.recordNow(decision(99)))
          assert.strictEqual(failure.code, code)
          yield* Effect.sleep(100)
          assert.strictEqual(ledger.requests.length, 1)
          assert.deepStrictEqual(face.alerts, [code])
          assert.strictEqual((yield* face.stats).state, "refused")
          yield* assertConserved(face)
          yield* face.setApiKey(goodKey)
          yield* face.flush(10_000)
          assert.deepStrictEqual(
            numbers(ledger).slice(1),
            Array.from({ length: 20 }, (_, n) => n)
          )
          assert.strictEqual(face.logLines.filter((line) => line.includes("holds")).length, 1)
          assert.strictEqual(face.logLines.filter((line) => line.includes("flows again")).length, 1)
        })
    )
  })

  describe("a ledger that asks to wait", () => {
    it.live("a 429 storm at concurrency 8: one gate, one probe, nothing lost (R14, R16)", () =>
      Effect.gen(function* () {
        const limited = answer(429, { code: "RATE_LIMIT_EXCEEDED" }, { "retry-after": "1" })
        const probe = heldBack()
        const { face, ledger } = yield* setUp(limited, { concurrency: 8 })
        const started = performance.now()
        yield* recordAll(face, 40)
        yield* until(() => ledger.requests.length > 0)
        yield* Effect.sleep(100)
        const storm = ledger.requests.length
        assert.isAtMost(storm, 8)
        ledger.reply(probe.reply)
        yield* until(() => ledger.requests.length > storm)
        // Never earlier than the ledger said, whatever the machine is doing.
        assert.isAtLeast(performance.now() - started, 1_000)
        yield* Effect.sleep(50)
        assert.strictEqual(ledger.requests.length, storm + 1)
        assert.strictEqual((yield* face.stats).state, "rate limited")
        ledger.reply(receipt)
        probe.release()
        yield* face.flush(10_000)
        const stats = yield* face.stats
        assert.deepStrictEqual([stats.delivered, stats.failed, stats.retries], [40, 0, 0])
      })
    )

    it.live("recordNow waits for a short time and refuses a long one, at once and without a request (R16)", () =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp(sequence([answer(429, "", { "retry-after": "1" })]))
        assert.match(yield* face.recordNow(decision(1)), /^txn_/)
        ledger.reply(answer(429, { retry_after: 86_400 }))
        assert.strictEqual((yield* Effect.flip(face.recordNow(decision(2)))).code, "RATE_LIMIT_EXCEEDED")
        assert.strictEqual((yield* Effect.flip(face.recordNow(decision(3)))).code, "RATE_LIMIT_EXCEEDED")
        assert.deepStrictEqual(numbers(ledger), [1, 1, 2])
      })
    )

    it.live("a 503 that names a time costs no retry", () =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp(sequence([answer(503, "", { "retry-after": "1" })]), { maxRetries: 0 })
        yield* recordAll(face, 3)
        yield* face.flush(10_000)
        assert.deepStrictEqual(numbers(ledger), [0, 0, 1, 2])
        assert.deepStrictEqual(codes(face), ["delivered", "delivered", "delivered"])
      })
    )
  })

  describe("an outage", () => {
    it.live("holds the records, alerts once, and flows in order when the ledger is back", () =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp(answer(503), { maxRetries: 0 })
        yield* recordAll(face, 30)
        yield* until(() => face.alerts.length > 0)
        assert.strictEqual((yield* Effect.flip(face.recordNow(decision(98)))).code, "MAX_RETRIES")
        ledger.reply(receipt)
        yield* face.flush(10_000)
        assert.deepStrictEqual(face.alerts, ["MAX_RETRIES"])
        const stats = yield* face.stats
        assert.deepStrictEqual([stats.delivered, stats.failed, stats.state], [30, 1, "flowing"])
        assert.deepStrictEqual(
          numbers(ledger).slice(-30),
          Array.from({ length: 30 }, (_, n) => n)
        )
        assert.isAtMost(ledger.requests.length, 34)
      })
    )

    it.live('fails the records instead with outage: "fail"', () =>
      Effect.gen(function* () {
        const { face } = yield* setUp(answer(503), { maxRetries: 1, outage: "fail" })
        yield* recordAll(face, 2)
        yield* face.flush(10_000)
        assert.deepStrictEqual(codes(face), ["MAX_RETRIES", "MAX_RETRIES"])
      })
    )

    it.live("a ledger that refuses connections is an outage, not the record's fault", () =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp(receipt, { maxRetries: 0 })
        yield* Effect.promise(() => ledger.close())
        yield* recordAll(face, 3)
        yield* until(() => face.alerts.length > 0)
        const stats = yield* face.stats
        assert.deepStrictEqual([stats.state, stats.failed], ["outage", 0])
        yield* assertConserved(face)
      })
    )

    it.live("stays near one request at a time in a total outage (R17)", () =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp(answer(503), { concurrency: 8 })
        yield* recordAll(face, 200)
        yield* until(() => face.alerts.length > 0)
        const before = ledger.requests.length
        assert.isAtMost(before, 8 * 4)
        yield* Effect.sleep(1_500)
        assert.isAtMost(ledger.requests.length - before, 8 + 3)
        yield* assertConserved(face)
      })
    )
  })

  describe("a full outbox", () => {
    it.live("drop-oldest makes room and reports each dropped record", () =>
      Effect.gen(function* () {
        const held = heldBack()
        const { face, ledger } = yield* setUp(held.reply, { queueMaxSize: 3 })
        yield* face.record(decision(0))
        yield* until(() => ledger.requests.length === 1)
        yield* recordAll(face, 5, 1)
        assert.deepStrictEqual(codes(face), ["QUEUE_FULL", "QUEUE_FULL"])
        yield* assertConserved(face)
        held.release()
        yield* face.flush(10_000)
        assert.deepStrictEqual(numbers(ledger), [0, 3, 4, 5])
      })
    )

    it.live("drop-newest refuses with QueueFull", () =>
      Effect.gen(function* () {
        const held = heldBack()
        const { face, ledger } = yield* setUp(held.reply, { queueMaxSize: 1, queuePolicy: "drop-newest" })
        yield* face.record(decision(0))
        yield* until(() => ledger.requests.length === 1)
        yield* face.record(decision(1))
        assert.strictEqual((yield* Effect.flip(face.record(decision(2)))).code, "QUEUE_FULL")
        held.release()
        yield* face.flush(10_000)
        assert.deepStrictEqual(numbers(ledger), [0, 1])
        assert.strictEqual((yield* face.stats).accepted, 2)
      })
    )

    it.live("backpressure waits for room, in the order of the calls", () =>
      Effect.gen(function* () {
        const held = heldBack()
        const { face, ledger } = yield* setUp(held.reply, { queueMaxSize: 2, queuePolicy: "backpressure" })
        const recording = yield* Effect.forkChild(
          Effect.forEach(
            Array.from({ length: 10 }, (_, n) => n),
            (n) => face.record(decision(n)),
            {
              concurrency: "unbounded",
              discard: true
            }
          )
        )
        yield* until(() => ledger.requests.length === 1)
        yield* Effect.sleep(20)
        assert.strictEqual((yield* face.stats).accepted, 3)
        held.release()
        yield* Fiber.join(recording)
        yield* face.flush(10_000)
        assert.deepStrictEqual(
          numbers(ledger),
          Array.from({ length: 10 }, (_, n) => n)
        )
      })
    )

    it.live("is bounded by bytes too (R27)", () =>
      Effect.gen(function* () {
        const held = heldBack()
        const { face, ledger } = yield* setUp(held.reply, {
          queueMaxBytes: 4_000,
          maxRecordBytes: 2_000,
          queuePolicy: "drop-newest"
        })
        const large = (n: number): Decision => ({ policy: "p", input: { n, text: "é".repeat(500) }, output: {} })
        yield* face.record(large(0))
        yield* until(() => ledger.requests.length === 1)
        yield* face.record(large(1))
        yield* face.record(large(2))
        assert.strictEqual((yield* Effect.flip(face.record(large(3)))).code, "QUEUE_FULL")
        assert.isAbove((yield* face.stats).pendingBytes, 3_000)
        held.release()
      })
    )
  })

  describe("bad input", () => {
    it.live("nothing is queued for an invalid decision, and all problems are told", () =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp()
        const bad: Decision = { policy: "", input: { rate: Number.NaN }, output: {}, confidence: 2 }
        const failure = yield* Effect.flip(face.record(bad))
        assert.strictEqual(failure.code, "VALIDATION_ERROR")
        const message = "message" in failure ? String(failure.message) : ""
        for (const path of ["policy", "input.rate", "confidence"]) assert.include(message, path)
        assert.strictEqual((yield* Effect.flip(face.recordNow(bad))).code, "VALIDATION_ERROR")
        assert.strictEqual((yield* face.stats).accepted, 0)
        assert.strictEqual(ledger.requests.length, 0)
      })
    )

    it.live("a bad idempotency key is refused before anything is queued (R33)", () =>
      Effect.gen(function* () {
        const { face } = yield* setUp()
        for (const idempotencyKey of [
          "short",
          "a".repeat(65),
          "with space 0123456789",
          "line\r\nbreak-0123456789",
          "ünïcode-0123456789"
        ]) {
          assert.strictEqual(
            (yield* Effect.flip(face.record(decision(1), { idempotencyKey }))).code,
            "INVALID_IDEMPOTENCY_KEY"
          )
        }
        assert.strictEqual((yield* face.stats).accepted, 0)
      })
    )
  })

  describe("the same transactionId", () => {
    it.live("with another payload is a typed error, before and after the first settled (R31)", () =>
      Effect.gen(function* () {
        const held = heldBack()
        const { face } = yield* setUp(held.reply)
        yield* face.record({ ...decision(1), transactionId: "loan_1" })
        const conflict = { ...decision(2), transactionId: "loan_1" }
        assert.strictEqual((yield* Effect.flip(face.record(conflict))).code, "IDEMPOTENCY_CONFLICT")
        held.release()
        yield* face.flush(10_000)
        assert.strictEqual((yield* Effect.flip(face.recordNow(conflict))).code, "IDEMPOTENCY_CONFLICT")
        assert.strictEqual((yield* face.stats).accepted, 1)
      })
    )

    it.live("with the same payload joins the record that is under way: never two attempts of one key in flight", () =>
      Effect.gen(function* () {
        const held = heldBack()
        const { face, ledger } = yield* setUp(held.reply, { concurrency: 4 })
        const loan = { ...decision(1), transactionId: "loan_1" }
        yield* face.record(loan)
        yield* face.record(loan)
        const waiting = yield* Effect.forkChild(face.recordNow(loan))
        yield* until(() => ledger.requests.length === 1)
        yield* Effect.sleep(20)
        held.release()
        assert.match(yield* Fiber.join(waiting), /^txn_/)
        assert.strictEqual(ledger.requests.length, 1)
        const stats = yield* face.stats
        assert.deepStrictEqual([stats.accepted, stats.delivered, stats.joined], [1, 1, 2])
        // Settled: recording it again asks the ledger, which answers with the first receipt.
        yield* face.recordNow(loan)
        assert.strictEqual(ledger.requests[1]?.key, ledger.requests[0]?.key)
      })
    )
  })

  describe("flush and close", () => {
    it.live("flush names how many records remain, and loses none (R1)", () =>
      Effect.gen(function* () {
        const held = heldBack()
        const { face } = yield* setUp(held.reply)
        yield* recordAll(face, 3)
        const failure = yield* Effect.flip(face.flush(50))
        assert.strictEqual(failure.code, "FLUSH_TIMEOUT")
        assert.include("message" in failure ? String(failure.message) : "", "3 records")
        held.release()
        yield* face.flush(10_000)
        assert.strictEqual(codes(face).length, 3)
      })
    )

    it.live("flush does not wait for what comes after it", () =>
      Effect.gen(function* () {
        const second = heldBack()
        const { face } = yield* setUp(sequence([receipt], second.reply))
        yield* face.record(decision(0))
        const flushing = yield* Effect.forkChild(face.flush(5_000), { startImmediately: true })
        yield* face.record(decision(1))
        yield* Fiber.join(flushing)
        assert.deepStrictEqual(codes(face), ["delivered"])
        second.release()
      })
    )

    it.live("close delivers what waits (R1)", () =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp(receipt, { shutdownTimeout: 20_000 })
        yield* recordAll(face, 300)
        yield* face.close
        assert.strictEqual(ledger.requests.length, 300)
        assert.strictEqual(codes(face).filter((code) => code === "delivered").length, 300)
      })
    )

    it.live(
      "close with a stalled ledger ends in its budget, reports every record, and sends nothing after it (R3, R10)",
      () =>
        Effect.gen(function* () {
          const { face, ledger } = yield* setUp(ScriptedLedger.stall, { shutdownTimeout: 100, timeout: 60_000 })
          yield* recordAll(face, 10)
          const waiting = yield* Effect.forkChild(Effect.flip(face.recordNow(decision(10))), { startImmediately: true })
          yield* until(() => ledger.requests.length === 1)
          yield* face.close
          assert.strictEqual((yield* Fiber.join(waiting)).code, "QUEUE_CLOSED")
          assert.strictEqual(codes(face).length, 11)
          assert.isTrue(codes(face).every((code) => code === "QUEUE_CLOSED"))
          yield* until(() => ledger.inFlight() === 0)
          ledger.reply(receipt)
          yield* Effect.sleep(200)
          assert.strictEqual(ledger.requests.length, 1)
          yield* assertConserved(face)
        })
    )

    it.live("close during an outage gives the ledger one more chance", () =>
      Effect.gen(function* () {
        const { face, ledger } = yield* setUp(answer(503), { maxRetries: 0, shutdownTimeout: 10_000 })
        yield* recordAll(face, 5)
        yield* until(() => face.alerts.length > 0)
        ledger.reply(receipt)
        yield* face.close
        assert.strictEqual((yield* face.stats).delivered, 5)
      })
    )

    it.live("after close nothing is taken, and closing again is nothing", () =>
      Effect.gen(function* () {
        const { face } = yield* setUp()
        yield* face.close
        yield* face.close
        assert.strictEqual((yield* Effect.flip(face.record(decision(1)))).code, "QUEUE_CLOSED")
        assert.strictEqual((yield* Effect.flip(face.recordNow(decision(1)))).code, "QUEUE_CLOSED")
        yield* face.flush(100)
        assert.isTrue((yield* face.stats).closed)
      })
    )

    it.live("record, flush and close at once: every record has exactly one outcome (R24)", () =>
      Effect.gen(function* () {
        const { face } = yield* setUp(receipt, { concurrency: 3, shutdownTimeout: 50 })
        yield* Effect.forEach(
          Array.from({ length: 300 }, (_, n) => n),
          (n) =>
            n === 200
              ? face.close
              : n % 50 === 0
                ? Effect.ignore(face.flush(20))
                : Effect.ignore(n % 3 === 0 ? face.recordNow(decision(n)) : face.record(decision(n))),
          { concurrency: "unbounded", discard: true }
        )
        const stats = yield* face.stats
        assert.deepStrictEqual([stats.pending, stats.inFlight], [0, 0])
        assert.strictEqual(face.settled.length, stats.accepted)
        assert.strictEqual(new Set(face.settled.map((seen) => seen.key)).size, stats.accepted)
        yield* assertConserved(face)
      })
    )
  })

  it.live("the API key is in no log line, error or result (R32)", () =>
    Effect.gen(function* () {
      const { face } = yield* setUp(
        sequence([
          answer(401, { error: "Invalid API key", code: "UNAUTHORIZED" }),
          answer(400, `{"code":"VALIDATION_ERROR"}`)
        ]),
        { maxRetries: 0 }
      )
      const failures = [
        yield* Effect.flip(face.recordNow(decision(1))),
        yield* Effect.flip(face.recordNow({ ...decision(1), confidence: 5 }))
      ]
      const { inspect } = yield* Effect.promise(() => import("node:util"))
      const everything = inspect([failures, face], { depth: 12, showHidden: true }) + JSON.stringify([failures, face])
      assert.notInclude(everything, apiKey)
    })
  )
})
