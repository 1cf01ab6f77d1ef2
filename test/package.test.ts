/**
 * The package as users get it: packed, unpacked into a project of its own, imported, required, compiled and bundled.
 */
import { globSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { type OutputChunk, rolldown } from "rolldown"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type RunningLedger, startLedger } from "../src/ledger-server/index.ts"
import { type PackedPackage, pack, repository, runNode, tool } from "./support/PackedPackage.ts"

let packed: PackedPackage

beforeAll(async () => {
  packed = await pack()
}, 120_000)

afterAll(() => packed?.remove())

const inProject = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}) =>
  runNode(args, { cwd: packed.project, env: { ...process.env, ...env } })

/** What a module program prints as JSON. */
const evaluate = async (name: string, program: string, options: ReadonlyArray<string> = []) => {
  const { code, stderr, stdout } = await inProject([...options, packed.write(name, program)])
  assert.strictEqual(stderr, "")
  assert.strictEqual(code, 0)
  return JSON.parse(stdout)
}

describe("package: what it holds", () => {
  it("the licence, the guide, the changes, the build and its sources; nothing else", () => {
    const sources = globSync("**/*.ts", { cwd: join(repository, "src") }).map((path) => path.replace(/\.ts$/, ""))
    const built = sources.flatMap((path) => [".js", ".js.map", ".d.ts", ".d.ts.map"].map((end) => `dist/${path}${end}`))
    assert.deepStrictEqual(
      packed.files,
      [
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "package.json",
        ...built,
        ...sources.map((path) => `src/${path}.ts`)
      ].sort()
    )
  })

  it("source maps lead to the sources beside them", () => {
    const maps = packed.files.filter((path) => path.endsWith(".map"))
    for (const path of maps) {
      const map: { sources: ReadonlyArray<string> } = JSON.parse(readFileSync(join(packed.installed, path), "utf8"))
      assert.lengthOf(map.sources, 1, path)
      assert.isTrue(statSync(join(packed.installed, path, "..", map.sources[0] ?? "")).isFile(), path)
    }
  })

  it("no path of the machine that built it", () => {
    for (const path of packed.files) {
      const text = readFileSync(join(packed.installed, path), "utf8")
      assert.notInclude(text, repository.replace(/\/$/, ""), path)
      assert.notMatch(text, /file:\/\/\/(home|Users|root|tmp)\/|\/(home|Users)\/\w+\/|\/root\//, path)
    }
  })

  it("declarations name modules that are there, and only packages that users get", () => {
    const { dependencies, peerDependencies } = packed.manifest
    const known = Object.keys({ ...dependencies, ...peerDependencies })
    const declarations = packed.files.filter((path) => path.endsWith(".d.ts"))
    for (const path of declarations) {
      const text = readFileSync(join(packed.installed, path), "utf8").replace(/\/\*[\s\S]*?\*\//g, "")
      for (const [, specifier = ""] of text.matchAll(/(?:from |import\()"([^"]+)"/g)) {
        if (specifier.startsWith(".")) {
          const declaration = join(path, "..", specifier.replace(/\.[jt]s$/, ".d.ts"))
          assert.include(packed.files, declaration, `${path}: ${specifier}`)
        } else if (!specifier.startsWith("node:")) {
          const isKnown = known.some((name) => specifier === name || specifier.startsWith(`${name}/`))
          assert.isTrue(isKnown, `${path}: ${specifier}`)
        }
      }
    }
  })

  it("publint has nothing to say (R42)", async () => {
    const { code, stdout, stderr } = await runNode([tool("publint", "src", "cli.js"), packed.tarball, "--strict"])
    assert.strictEqual(code, 0, stdout + stderr)
    assert.include(stdout, "All good!")
  })

  it("arethetypeswrong finds no problem for ESM (R42)", async () => {
    const cli = tool("@arethetypeswrong", "cli", "dist", "index.js")
    const args = [cli, packed.tarball, "--profile", "esm-only", "--no-color"]
    const { code, stdout, stderr } = await runNode(args)
    assert.strictEqual(code, 0, stdout + stderr)
  })
})

describe("package: at runtime", () => {
  it("every entry point imports, and shows the same to require (R42)", async () => {
    const list = JSON.stringify(packed.entries)
    const imported = await evaluate(
      "import.mjs",
      `const names = {}
      for (const entry of ${list}) names[entry] = Object.keys(await import(entry)).sort()
      console.log(JSON.stringify(names))`
    )
    const required = await evaluate(
      "require.cjs",
      `const names = {}
      for (const entry of ${list}) names[entry] = Object.keys(require(entry)).sort()
      console.log(JSON.stringify(names))`
    )
    assert.deepStrictEqual(required, imported)
    assert.includeMembers(imported["xase-sdk"], ["Xase", "XaseLive", "Evidence", "RateLimitExceeded"])
    assert.includeMembers(imported["xase-sdk/promise"], ["XaseClient", "XaseError"])
    assert.includeMembers(imported["xase-sdk/ledger-server"], ["LedgerServer", "startLedger"])
    for (const entry of packed.entries) assert.isNotEmpty(imported[entry], entry)
  })

  it("import and require share one copy", async () => {
    const isShared = await evaluate(
      "shared.mjs",
      `import { createRequire } from "node:module"
      import { XaseError } from "xase-sdk/promise"
      console.log(createRequire(import.meta.url)("xase-sdk/promise").XaseError === XaseError)`
    )
    assert.isTrue(isShared)
  })

  it("nothing behind the entry points can be imported", async () => {
    const codes = await evaluate(
      "internals.mjs",
      `const codes = []
      for (const path of ["dist/index.js", "src/index.ts", "Delivery", "ledger-server/Store"]) {
        codes.push(await import("xase-sdk/" + path).then(() => "imported", (error) => error.code))
      }
      console.log(JSON.stringify([...new Set(codes)]))`
    )
    assert.deepStrictEqual(codes, ["ERR_PACKAGE_PATH_NOT_EXPORTED"])
  })

  it("importing does nothing: no timer, no clock, no randomness, no listener, no handle, no write (R11)", async () => {
    for (const entry of packed.entries) {
      const seen = await evaluate(
        "import-does-nothing.mjs",
        `const calls = []
        const watch = (object, ...names) => {
          for (const name of names) {
            const original = object[name]
            object[name] = function (...args) {
              calls.push(name)
              return Reflect.apply(original, this, args)
            }
          }
        }
        watch(globalThis, "setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch")
        watch(Math, "random")
        watch(Date, "now")
        watch(performance, "now")
        watch(crypto, "getRandomValues", "randomUUID")
        watch(process, "on", "once", "addListener", "prependListener")
        const listeners = () => process.eventNames().map((name) => [String(name), process.listenerCount(name)])
        const before = JSON.stringify(listeners())
        const known = new Set(Reflect.ownKeys(globalThis))
        await import(${JSON.stringify(entry)})
        const result = {
          calls: [...calls],
          listeners: JSON.stringify(listeners()) === before ? "as before" : listeners(),
          handles: process.getActiveResourcesInfo(),
          globals: Reflect.ownKeys(globalThis).filter((key) => !known.has(key)).map(String)
        }
        const imported = process.hrtime.bigint()
        process.prependListener("exit", () => {
          const exitsAtOnce = process.hrtime.bigint() - imported < 500_000_000n
          console.log(JSON.stringify({ ...result, exitsAtOnce }))
        })`,
        // Denied: writing, child processes, workers, native add-ons, and reading anything but the packages.
        ["--permission", `--allow-fs-read=${packed.project}`, `--allow-fs-read=${join(repository, "node_modules")}`]
      )
      assert.deepStrictEqual(
        seen,
        { calls: [], listeners: "as before", handles: [], globals: [], exitsAtOnce: true },
        entry
      )
    }
  })

  it("the xase command runs by its link", async () => {
    const command = join(packed.installed, packed.manifest.bin.xase ?? "")
    assert.match(readFileSync(command, "utf8"), /^#!\/usr\/bin\/env node\n/)
    const { code, stdout } = await inProject([command, "--version"])
    assert.strictEqual(code, 0)
    assert.include(stdout, packed.manifest.version)
  })

  describe("against a ledger", () => {
    let ledger: RunningLedger

    beforeAll(async () => {
      ledger = await startLedger()
    })

    afterAll(() => ledger?.close())

    const program = `const client = new XaseClient()
      const queued = client.record({ policy: "credit_policy_v4", input: { score: 720 }, output: { approved: true } })
      queued
        .then(() => client.record({ policy: "fraud_detection_v2", input: {}, output: {} }, { skipQueue: true }))
        .then((result) => client.flush().then(() => client.close()).then(() => console.log(result.transaction_id)))`

    const settings = () => ({ XASE_API_KEY: ledger.apiKey, XASE_BASE_URL: ledger.baseUrl })

    it("records from an ES module", async () => {
      const path = packed.write("record.mjs", `import { XaseClient } from "xase-sdk/promise"\n${program}`)
      const { stderr, stdout } = await inProject([path], settings())
      assert.match(stdout, /^txn_\w+\n$/, stderr)
    })

    it("records through a durable outbox, and names the package that another one needs", async () => {
      const path = packed.write(
        "durable.mjs",
        `import { XaseClient } from "xase-sdk/promise"
        const decision = { policy: "credit_policy_v4", input: {}, output: {} }
        const stored = new XaseClient({ outbox: "sqlite:outbox.db" })
        await stored.record(decision)
        await stored.flush()
        console.log(stored.getStats().delivered)
        await stored.close()
        const missing = new XaseClient({ outbox: "postgres://127.0.0.1/xase" })
        await missing.record(decision).catch((error) => console.log(error.code, error.message))
        await missing.close()`
      )
      const { stderr, stdout } = await inProject([path], settings())
      assert.match(stdout, /^1\nOUTBOX_UNAVAILABLE .*npm install @effect\/sql-pg/, stderr)
    })

    it("records from a CommonJS module (R42)", async () => {
      const path = packed.write("record.cjs", `const { XaseClient } = require("xase-sdk/promise")\n${program}`)
      const { stderr, stdout } = await inProject([path], settings())
      assert.match(stdout, /^txn_\w+\n$/, stderr)
    })

    it("records from a bundle, which loads the connection pool when it is needed", async () => {
      const chunks = await bundle("bundle-entry.mjs", `import { XaseClient } from "xase-sdk/promise"\n${program}`)
      const entry = chunks.find((chunk) => chunk.isEntry)
      assert.isBelow(entry?.code.length ?? Number.POSITIVE_INFINITY, 300_000)
      assert.notMatch(Object.keys(entry?.modules ?? {}).join("\n"), /undici|\/effect\/dist\/(sql|persistence)\//)
      for (const { code, fileName } of chunks) packed.write(fileName, code)
      const { stderr, stdout } = await inProject([join(packed.project, entry?.fileName ?? "")], settings())
      assert.match(stdout, /^txn_\w+\n$/, stderr)
    })
  })

  it("a bundle keeps nothing of what it does not use", async () => {
    const imports = packed.entries.map((entry) => `import ${JSON.stringify(entry)}\n`).join("")
    const [chunk] = await bundle("unused.mjs", `${imports}import { version } from "xase-sdk"\nconsole.log(version)`)
    assert.isBelow(chunk?.code.length ?? Number.POSITIVE_INFINITY, 100)
  })
})

const bundle = async (name: string, program: string): Promise<ReadonlyArray<OutputChunk>> => {
  const warnings: Array<string> = []
  const build = await rolldown({
    input: packed.write(name, program),
    cwd: packed.project,
    platform: "node",
    onwarn: ({ message }) => void warnings.push(message)
  })
  const { output } = await build.generate({ format: "esm", minify: true, entryFileNames: "bundle-[name].mjs" })
  await build.close()
  assert.deepStrictEqual(warnings, [])
  return output.filter((chunk) => chunk.type === "chunk")
}

describe("package: types", () => {
  const facade = `
    import { XaseClient, XaseError, type RecordResult } from "xase-sdk/promise"
    export const record = async (apiKey: string): Promise<RecordResult> => {
      const client = new XaseClient({ apiKey, timeout: 1_000, onError: (error) => error.code.toUpperCase() })
      try {
        const queued: RecordResult | undefined = await client.record({ policy: "p", input: {}, output: {} })
        queued?.receipt_url.toUpperCase()
        // @ts-expect-error A policy is text.
        void client.record({ policy: 1, input: {}, output: {} })
        return await client.record({ policy: "p", input: {}, output: {} }, { skipQueue: true })
      } catch (error) {
        if (error instanceof XaseError) error.statusCode?.toFixed()
        throw error
      } finally {
        await client.close()
      }
    }
  `
  const service = `
    import * as Effect from "effect/Effect"
    import { Evidence, Xase, XaseLive, type Receipt } from "xase-sdk"
    export const hash: string = Evidence.hashObject({ b: 1, a: [2] })
    export const program: Effect.Effect<Receipt | undefined, unknown> = Effect.gen(function* () {
      const xase = yield* Xase
      return yield* xase.recordNow({ policy: "p", input: {}, output: {} })
    }).pipe(
      Effect.catchTag("RateLimitExceeded", (error) => Effect.as(Effect.log(error.retryAfter), undefined)),
      // @ts-expect-error No such error.
      Effect.catchTag("RateLimitExceded", () => Effect.undefined),
      Effect.provide(XaseLive)
    )
  `
  const around = `
    import { startLedger } from "xase-sdk/ledger-server"
    import * as Testing from "xase-sdk/testing"
    export const testing = Testing
    export const origin = async (): Promise<string> => {
      await using ledger = await startLedger({ rateLimit: 10 })
      return ledger.origin
    }
  `
  // The default library has the DOM. Without it, Effect's own declarations do not compile (`CryptoKey`, `JsonWebKey`).
  const node = { types: ["node"] }
  const browser = { types: [] }
  const bundler = { module: "ESNext", moduleResolution: "Bundler" }
  const nodeNext = { module: "NodeNext", moduleResolution: "NodeNext" }
  const consumers: ReadonlyArray<readonly [name: string, extension: string, options: object, ReadonlyArray<string>]> = [
    ["a project in ES modules", "mts", { ...nodeNext, ...node }, [facade, service, around]],
    ["a project in CommonJS", "cts", { ...nodeNext, ...node }, [facade, service, around]],
    ["a bundled project", "ts", { ...bundler, ...node }, [facade, service, around]],
    ["a bundled project without the types of Node", "ts", { ...bundler, ...browser }, [facade, service]]
  ]

  for (const [name, extension, options, programs] of consumers) {
    it(`compile in ${name}, libraries included (R42)`, async () => {
      const files = programs.map((program, index) => {
        const file = `types-${index}.${extension}`
        packed.write(file, program)
        return file
      })
      const compilerOptions = {
        target: "ES2022",
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        skipLibCheck: false,
        ...options
      }
      const config = packed.write("tsconfig.json", JSON.stringify({ compilerOptions, files }))
      const { stdout } = await inProject([tool("typescript", "bin", "tsc"), "-p", config])
      assert.strictEqual(stdout, "")
    })
  }
})
