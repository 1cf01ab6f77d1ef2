import { hostname } from "node:os"
import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import { make } from "../../src/decision/RuntimeContext.ts"
import { version } from "../../src/Version.ts"

const contextOf = (environment = "test") =>
  Object.fromEntries(Object.entries(make(environment)).map(([name, { text }]) => [name, JSON.parse(text)]))

afterEach(() => vi.unstubAllGlobals())

describe("the runtime context", () => {
  it("on Node says where the decision was made", () => {
    assert.deepStrictEqual(contextOf("staging"), {
      runtime: `node@${process.version}`,
      platform: process.platform,
      arch: process.arch,
      hostname: hostname(),
      pid: process.pid,
      lib_version: version,
      env: "staging"
    })
  })

  it("quotes what has to be quoted", () => assert.strictEqual(contextOf('a"b\\c\n').env, 'a"b\\c\n'))

  it("in a browser leaves out what there is not", () => {
    vi.stubGlobal("process", undefined)
    vi.stubGlobal("navigator", { userAgent: "Mozilla/5.0" })
    const context = contextOf()
    vi.unstubAllGlobals()
    assert.deepStrictEqual(context, { runtime: "Mozilla/5.0", lib_version: version, env: "test" })
  })

  it.each([
    ["bun", { node: "24.0.0", bun: "1.2.3" }, "bun@v1.2.3"],
    ["Deno", { node: "24.0.0", deno: "2.0.0" }, "deno@v2.0.0"]
  ])("names %s rather than the Node that it imitates", (_, versions, runtime) => {
    vi.stubGlobal("process", { versions, platform: "linux", arch: "x64", pid: 1 })
    const context = contextOf()
    vi.unstubAllGlobals()
    assert.strictEqual(context.runtime, runtime)
  })
})
