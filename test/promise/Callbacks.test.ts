/**
 * Functions of the caller's that misbehave.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { assert, describe, it } from "@effect/vitest"
import { loggerFrom, safely } from "../../src/promise/Callbacks.ts"
import { ConfigurationError } from "../../src/XaseError.ts"

describe("a caller's function", () => {
  it.each([
    [
      "throws",
      () => {
        throw new Error("mine")
      }
    ],
    ["rejects", () => Promise.reject(new Error("mine"))],
    [
      "answers a thenable that rejects",
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested.
      () => ({ then: (_: unknown, no: (error: Error) => void) => no(new Error("mine")) })
    ]
  ])("that %s is reported and harms nothing", async (_, call) => {
    let failures = 0
    safely(call, () => failures++)
    await sleep(5)
    assert.strictEqual(failures, 1)
  })
})

describe("a logger", () => {
  it("may be a function or an object with methods, which stay bound to it", () => {
    const lines: Array<string> = []
    class Lines {
      readonly prefix = "mine: "
      info(line: string) {
        lines.push(this.prefix + line)
      }
      warn(line: string) {
        lines.push(this.prefix + line)
      }
    }
    loggerFrom((line: string) => lines.push(line))?.("warn", "a")
    loggerFrom(new Lines())?.("info", "b")
    assert.deepStrictEqual(lines, ["a", "mine: b"])
  })

  it("is none where there is none", () => {
    assert.isUndefined(loggerFrom(undefined))
    assert.isUndefined(loggerFrom(false))
  })

  it("that throws or rejects harms nothing", () => {
    loggerFrom(() => {
      throw new Error("mine")
    })?.("warn", "a")
    loggerFrom(() => Promise.reject(new Error("mine")))?.("warn", "a")
  })

  it("that is something else is refused by name", () => {
    for (const other of [true, "console", {}, { warn: () => {} }, null]) {
      assert.throws(() => loggerFrom(other), ConfigurationError, "logger")
    }
  })
})
