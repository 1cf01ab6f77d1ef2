/**
 * The package as users get it: packed, unpacked into a project of its own, imported, required, compiled and bundled.
 */
import { globSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { type OutputChunk, rolldown } from "rolldown"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type RunningLedger, startLedger } from "../src/ledger-server/index.ts"
import { programs, startPostgres, startRedis } from "./support/Engines.ts"
import { type PackedPackage, pack, repository, runNode, tool } from "./support/PackedPackage.ts"

let packed: PackedPackage

beforeAll(async () => {
  packed = await pack()
}, 120_000)

afterAll(() => packed?.remove())

const inProject = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}) =>
  runNode(args, { cwd: packed.project, env: { ...process.env, ...env } })

/** The entry points that are built as files of their own, with all they need inside. */
const standalone: ReadonlyArray<string> = ["promise", "verify"]

/** The modules that only those reach. */
const isOnlyInside = (path: string): boolean => path.startsWith("promise/")

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
    const built = sources.flatMap((path) => {
      const types = [`dist/${path}.d.ts`, `dist/${path}.d.ts.map`]
      return standalone.includes(path)
        ? [`dist/${path}.js`, ...types]
        : isOnlyInside(path)
          ? types
          : [`dist/${path}.js`, `dist/${path}.js.map`, ...types]
    })
    assert.deepStrictEqual(
      packed.files.filter((path) => !path.startsWith("dist/standalone/")),
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

  it("with a standalone entry point what it is made of, and whose that is", () => {
    const inside = packed.files.filter((path) => path.startsWith("dist/standalone/"))
    const texts = [...inside, ...standalone.map((entry) => `dist/${entry}.js`)].map((path) => ({
      path,
      text: readFileSync(join(packed.installed, path), "utf8")
    }))
    const chunks = texts.filter(({ path }) => path.endsWith(".js"))
    const imported = chunks.flatMap(({ path, text }) =>
      [...text.matchAll(/^import .*?from "([^"]+)"|^import "([^"]+)"|import\("([^"]+)"\)/gm)].map(
        ([, from, bare, dynamic]) => ({ path, specifier: from ?? bare ?? dynamic ?? "" })
      )
    )
    const foreign = imported.filter(({ specifier }) => !/^(\.|node:)/.test(specifier)).map(({ specifier }) => specifier)
    assert.deepStrictEqual([...new Set(foreign)].sort(), ["redis", "undici"])
    const used = imported.map(({ path, specifier }) => join(path, "..", specifier))
    for (const path of inside) assert.isTrue(used.includes(path) || path.endsWith("/LICENSES.txt"), `${path} is dead`)
    const licences = texts.find(({ path }) => path.endsWith("/LICENSES.txt"))?.text ?? ""
    for (const name of ["effect", "@effect/platform-node", "@effect/sql-pg", "@noble/hashes", "fflate"]) {
      assert.match(
        licences,
        new RegExp(`^${name} \\d[^\\n]*\\n\\nMIT License|^${name} \\d[^\\n]*\\n\\nThe MIT`, "m"),
        name
      )
    }
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

  it("each face takes the decision types that the other one made", async () => {
    const isTaken = await evaluate(
      "types.mjs",
      `import * as Result from "effect/Result"
      import * as Schema from "effect/Schema"
      import * as service from "xase-sdk"
      import * as facade from "xase-sdk/promise"
      const decision = { policy: "p", input: {}, output: {}, decisionType: new facade.CustomDecisionType("TRIAGE") }
      const client = new facade.XaseClient({ apiKey: "xase_pk_000000000000000000000000", exitHandlers: false })
      const mine = { ...decision, decisionType: new service.CustomDecisionType("TRIAGE") }
      const isQueued = await client.record(mine).then(() => true, () => false)
      await client.close()
      console.log(JSON.stringify([isQueued, Result.isSuccess(Schema.encodeUnknownResult(service.Decision)(decision))]))
      process.exit()`,
      ["--no-warnings"]
    )
    assert.deepStrictEqual(isTaken, [true, true])
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

    const durable = (...outboxes: ReadonlyArray<string>) =>
      packed.write(
        "durable.mjs",
        `import { XaseClient } from "xase-sdk/promise"
        for (const outbox of ${JSON.stringify(outboxes)}) {
          const client = new XaseClient({ outbox })
          await client.record({ policy: "credit_policy_v4", input: {}, output: {} })
          await client.flush()
          console.log(client.getStats().delivered)
          await client.close()
        }
        // The Postgres client keeps idle connections for a while.
        process.exit()`
      )

    it("records through a durable outbox", async () => {
      const { stderr, stdout } = await inProject([durable("sqlite:outbox.db")], settings())
      assert.strictEqual(stdout, "1\n", stderr)
    })

    const [redis, postgres] = [programs.redis(), programs.postgres()]
    it.skipIf(redis === undefined || postgres === undefined)("records through Redis and Postgres", async () => {
      await using cache = await startRedis(redis ?? "")
      await using database = await startPostgres(postgres ?? "")
      const { stderr, stdout } = await inProject([durable(cache.url, database.url)], settings())
      assert.strictEqual(stdout, "1\n1\n", stderr)
    })

    it("names the package that an outbox needs", async () => {
      const path = packed.write(
        "missing.mjs",
        `import * as Effect from "effect/Effect"
        import { Xase, XaseLive } from "xase-sdk"
        const program = Effect.flatMap(Xase, (xase) => xase.record({ policy: "p", input: {}, output: {} }))
        await Effect.runPromise(Effect.flip(Effect.provide(program, XaseLive))).then(({ message }) => console.log(message))`
      )
      const { stderr, stdout } = await inProject([path], { ...settings(), XASE_OUTBOX: "postgres://127.0.0.1/xase" })
      assert.include(stdout, "npm install @effect/sql-pg", stderr)
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
