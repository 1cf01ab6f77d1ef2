import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { Headers } from "effect/http"
import { fromAnswer } from "../../src/ledger/RetryAfter.ts"
import { int, seeded } from "../support/arbitraries.ts"

const now = Date.parse("2026-11-23T10:00:00.000Z")

const http = (millis: number): string => new Date(millis).toUTCString()

/** Milliseconds to wait, or `undefined`. */
const wait = (
  headers: { readonly [name: string]: string },
  body: unknown = undefined,
  at = now
): number | undefined => {
  const delay = fromAnswer(Headers.fromInput(headers), body, at)
  return delay === undefined ? undefined : Duration.toMillis(delay)
}

describe("every form of later (R15)", () => {
  it.each([
    ["seconds", { "retry-after": "120" }, 120_000],
    ["seconds in white space", { "retry-after": " 7 " }, 7_000],
    ["a fraction of a second", { "retry-after": "0.5" }, 500],
    ["now", { "retry-after": "0" }, 0],
    ["a day", { "retry-after": "86400" }, 86_400_000],
    ["a date", { "retry-after": "Mon, 23 Nov 2026 10:01:30 GMT" }, 90_000],
    ["a date of the second form", { "retry-after": "Monday, 23-Nov-26 10:01:30 GMT" }, 90_000],
    ["a date of the third form", { "retry-after": "Mon Nov 23 10:01:30 2026" }, 90_000],
    ["a date that is past", { "retry-after": "Mon, 23 Nov 2026 09:00:00 GMT" }, 0],
    ["a reset in epoch milliseconds", { "x-ratelimit-reset": String(now + 1_234) }, 1_234],
    ["a reset in epoch seconds", { "x-ratelimit-reset": String(now / 1_000 + 12) }, 12_000],
    ["a reset in seconds from now", { "x-ratelimit-reset": "12" }, 12_000],
    ["a reset in fractions", { "x-ratelimit-reset": "1.5" }, 1_500],
    ["a reset that is past, in milliseconds", { "x-ratelimit-reset": String(now - 1) }, 0],
    ["a reset that is past, in seconds", { "x-ratelimit-reset": String(now / 1_000 - 1) }, 0]
  ])("%s", (_, headers, expected) => assert.strictEqual(wait(headers), expected))

  it.each([
    ["seconds", { retry_after: 3_600 }, 3_600_000],
    ["a fraction", { retry_after: 0.25 }, 250],
    ["zero", { retry_after: 0 }, 0],
    ["a negative number", { retry_after: -1 }, undefined],
    ["text", { retry_after: "60" }, undefined],
    ["nothing", {}, undefined],
    ["no object", "retry_after", undefined],
    ["null", null, undefined],
    ["a list", [60], undefined]
  ])("in the body: %s", (_, body, expected) => assert.strictEqual(wait({}, body), expected))

  it("the header wins over the reset, the reset over the body", () => {
    const headers = { "retry-after": "1", "x-ratelimit-reset": "2" }
    assert.strictEqual(wait(headers, { retry_after: 3 }), 1_000)
    assert.strictEqual(wait({ "x-ratelimit-reset": "2" }, { retry_after: 3 }), 2_000)
    assert.strictEqual(wait({}, { retry_after: 3 }), 3_000)
  })

  it("what the public ledger sends: the reset, not the fixed hour of the body", () => {
    assert.strictEqual(wait({ "x-ratelimit-reset": String(now + 600_000) }, { retry_after: 3_600 }), 600_000)
  })
})

describe("what cannot be read is skipped", () => {
  const garbage = [
    "",
    " ",
    "soon",
    "-5",
    "1e3",
    "5 seconds",
    "0x10",
    "1.2.3",
    "NaN",
    "Infinity",
    "2026-11-23",
    "1,5",
    "٣"
  ]

  it.each(garbage)("%j", (text) => {
    assert.isUndefined(wait({ "retry-after": text }))
    assert.isUndefined(wait({ "x-ratelimit-reset": text }))
    assert.strictEqual(wait({ "retry-after": text, "x-ratelimit-reset": text }, { retry_after: 3 }), 3_000)
  })

  it("a number that no clock could wait for", () => {
    const digits = "9".repeat(400)
    assert.isUndefined(wait({ "retry-after": `${digits}.5` }))
    assert.isUndefined(wait({ "x-ratelimit-reset": digits }))
    for (const retry_after of [1e306, Number.MAX_VALUE, Number.POSITIVE_INFINITY, Number.NaN]) {
      assert.isUndefined(wait({}, { retry_after }))
    }
  })

  it("never gives a time that is not finite", () => {
    for (const digits of [10, 16, 17, 100, 305, 306, 307, 308, 309, 400]) {
      for (const text of ["9".repeat(digits), `${"9".repeat(digits)}.9`]) {
        for (const name of ["retry-after", "x-ratelimit-reset"]) {
          const delay = fromAnswer(Headers.fromInput({ [name]: text }), undefined, now)
          assert.isTrue(delay === undefined || Duration.isFinite(delay), `${name} ${digits}`)
        }
      }
    }
  })
})

describe("a local clock that is wrong", () => {
  const hour = 3_600_000

  it.each([-24 * hour, -hour, -1_000, 0, 1_000, hour, 24 * hour])(
    "by %s ms does no harm where the answer has a date",
    (skew) => {
      const date = http(now)
      const at = now + skew
      assert.strictEqual(wait({ date, "retry-after": http(now + 90_000) }, undefined, at), 90_000)
      assert.strictEqual(wait({ date, "x-ratelimit-reset": String(now + 1_234) }, undefined, at), 1_234)
      assert.strictEqual(wait({ date, "x-ratelimit-reset": String(now / 1_000 + 5) }, undefined, at), 5_000)
      assert.strictEqual(wait({ date, "retry-after": "90" }, undefined, at), 90_000)
    }
  )

  it.each(["", "garbage", "5", "2026", "2020-01-01"])("a date that is none (%j) is not used", (date) => {
    assert.strictEqual(wait({ date, "retry-after": http(now + 90_000) }), 90_000)
    assert.strictEqual(wait({ date, "x-ratelimit-reset": String(now + 1_234) }), 1_234)
  })
})

it.prop(
  "a time is never earlier than the server's, whatever the two clocks say (R16)",
  { inSeconds: int(0, 200_000), skew: int(-100_000_000, 100_000_000), fraction: int(0, 999) },
  ({ fraction, inSeconds, skew }) => {
    const server = now + fraction
    const then = now + inSeconds * 1_000
    const date = http(server)
    for (const header of [{ "retry-after": http(then) }, { "x-ratelimit-reset": String(then) }]) {
      const delay = wait({ date, ...header }, undefined, server + skew) ?? assert.fail()
      assert.isAtLeast(server + delay, then)
    }
  },
  seeded(300)
)
