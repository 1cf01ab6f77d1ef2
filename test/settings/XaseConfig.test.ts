import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Exit, Redacted } from "effect"
import type { Decision } from "../../src/decision/Decision.ts"
import {
  apiKeyFrom,
  booleanSetting,
  layer,
  make,
  type Options,
  type Settings,
  XaseConfig
} from "../../src/settings/XaseConfig.ts"
import type { ConfigurationError } from "../../src/XaseError.ts"
import { hashVectors } from "../support/vectors.ts"

const apiKey = "xase_pk_canary0123456789abcdefghij"

type Environment = { readonly [variable: string]: string }

const inEnvironment =
  (env: Environment) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))

const settingsOf = (options: unknown = {}, env: Environment = {}): Settings =>
  Effect.runSync(make({ apiKey, ...(options as Options) }).pipe(inEnvironment(env)))

const errorOf = (options: unknown, env: Environment = {}): ConfigurationError =>
  Effect.runSync(Effect.flip(make({ apiKey, ...(options as Options) }).pipe(inEnvironment(env))))

/** A setting as it is compared here. */
const plain = (value: unknown): unknown => (Duration.isDuration(value) ? Duration.toMillis(value) : value)

describe("defaults", () => {
  it("are those of the documentation", () => {
    const { apiKey: _, ...settings } = settingsOf()
    assert.deepStrictEqual(Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, plain(value)])), {
      baseUrl: "http://localhost:3000/api/xase/v1",
      timeout: 3_000,
      maxRetries: 3,
      maxRetryAfter: 60_000,
      outage: "hold",
      queueMaxSize: 10_000,
      queueMaxBytes: 64 * 1024 * 1024,
      queuePolicy: "drop-oldest",
      maxRecordBytes: 1024 * 1024,
      concurrency: 1,
      shutdownTimeout: 2_000,
      environment: "development",
      runtimeContext: true,
      commitments: true,
      signer: undefined,
      journal: undefined,
      outbox: { kind: "memory" },
      rateLimit: undefined,
      headers: {},
      redactions: {},
      redact: undefined
    })
  })

  it.effect("are a service too", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* XaseConfig).maxRetries, 0)
    }).pipe(Effect.provide(layer({ apiKey, maxRetries: 0 })), inEnvironment({}))
  )
})

describe("where a setting comes from", () => {
  const sources: ReadonlyArray<
    readonly [
      setting: keyof Settings,
      variable: string,
      inEnv: string,
      fromEnv: unknown,
      option: unknown,
      fromOption: unknown
    ]
  > = [
    [
      "baseUrl",
      "XASE_BASE_URL",
      "https://env.example/api",
      "https://env.example/api",
      "https://a.example",
      "https://a.example"
    ],
    ["timeout", "XASE_TIMEOUT", "1500", 1_500, "2 seconds", 2_000],
    ["maxRetries", "XASE_MAX_RETRIES", " 7 ", 7, 0, 0],
    ["queueMaxSize", "XASE_QUEUE_MAX_SIZE", "50", 50, 60, 60],
    ["queuePolicy", "XASE_QUEUE_POLICY", "backpressure", "backpressure", "drop-newest", "drop-newest"],
    ["concurrency", "XASE_CONCURRENCY", "4", 4, 2, 2],
    ["shutdownTimeout", "XASE_SHUTDOWN_TIMEOUT", "0", 0, Duration.seconds(9), 9_000],
    ["environment", "XASE_ENV", "staging", "staging", "production", "production"]
  ]

  it.each(sources)(
    "%s: the option, then %s, then the default",
    (setting, variable, inEnv, fromEnv, option, fromOption) => {
      const env = { [variable]: inEnv }
      assert.strictEqual(plain(settingsOf({}, env)[setting]), fromEnv)
      assert.strictEqual(plain(settingsOf({ [setting]: option }, env)[setting]), fromOption)
      assert.strictEqual(plain(settingsOf({ [setting]: undefined }, env)[setting]), fromEnv)
      for (const empty of ["", "  "]) {
        assert.strictEqual(plain(settingsOf({}, { [variable]: empty })[setting]), plain(settingsOf()[setting]))
      }
    }
  )

  it.each(sources)("%s: a bad %s names both, what is wrong and what to do", (setting, variable, ...rest) => {
    if (setting === "environment") return
    const error = errorOf({}, { [variable]: "no such thing" })
    assert.strictEqual(error._tag, "ConfigurationError")
    assert.strictEqual(error.setting, `${setting} (${variable})`)
    assert.include(error.problem, "no such thing")
    assert.match(error.fix, /^Use /)
    // The option wins, so what is in the environment does not matter.
    assert.strictEqual(plain(settingsOf({ [setting]: rest[2] }, { [variable]: "no such thing" })[setting]), rest[3])
  })

  it("the key: the option, then XASE_API_KEY", () => {
    const other = "xase_pk_other0123456789abcdefghij"
    const keyOf = (options: Options, env: Environment) =>
      Redacted.value(Effect.runSync(make(options).pipe(inEnvironment(env))).apiKey)
    assert.strictEqual(keyOf({}, { XASE_API_KEY: other }), other)
    assert.strictEqual(keyOf({ apiKey }, { XASE_API_KEY: other }), apiKey)
    assert.strictEqual(keyOf({ apiKey: Redacted.make(apiKey) }, { XASE_API_KEY: "bad" }), apiKey)
  })

  it("the environment's name: XASE_ENV, then NODE_ENV, then development", () => {
    assert.strictEqual(settingsOf({}, { NODE_ENV: "test" }).environment, "test")
    assert.strictEqual(settingsOf({}, { NODE_ENV: "test", XASE_ENV: "staging" }).environment, "staging")
    assert.strictEqual(settingsOf({}, { NODE_ENV: "" }).environment, "development")
  })
})

describe("an explicit zero means zero (R26)", () => {
  it.each(["maxRetries", "maxRetryAfter", "shutdownTimeout"] as const)("%s", (setting) => {
    assert.strictEqual(plain(settingsOf({ [setting]: 0 })[setting]), 0)
  })

  it.each(["timeout", "queueMaxSize", "queueMaxBytes", "maxRecordBytes", "concurrency"])(
    "%s cannot be zero",
    (setting) => {
      assert.strictEqual(errorOf({ [setting]: 0 }).setting, setting)
    }
  )
})

describe("values", () => {
  const durations: ReadonlyArray<readonly [input: unknown, millis: number]> = [
    [250, 250],
    [0.5, 0.5],
    ["1500", 1_500],
    ["1.5 seconds", 1_500],
    ["2 minutes", 120_000],
    [Duration.hours(1), 3_600_000],
    [2_000_000_000n, 2_000],
    [[1, 500_000_000], 1_500],
    [{ minutes: 1, seconds: 30 }, 90_000],
    [{ seconds: 3, minutes: undefined }, 3_000]
  ]

  it.each(durations)("a duration may be %o", (timeout, millis) => {
    assert.strictEqual(plain(settingsOf({ timeout }).timeout), millis)
  })

  const bad: ReadonlyArray<readonly [setting: string, values: ReadonlyArray<unknown>]> = [
    [
      "baseUrl",
      [
        "",
        "localhost:3000",
        "not a url",
        "ftp://a.example",
        "file:///etc",
        "https://a.example?x=1",
        "https://a.example/#x",
        5,
        null,
        {}
      ]
    ],
    ["baseUrl", ["https://user@a.example", "https://user:secret@a.example", "https://:secret@a.example"]],
    ["timeout", ["", "soon", "-1", "3 parsecs", -1, Number.NaN, Number.POSITIVE_INFINITY, "Infinity", null, true]],
    [
      "timeout",
      [
        {},
        { parsecs: 3 },
        { seconds: Number.NaN },
        [1],
        [1, 2, 3],
        ["1", "2"],
        Duration.infinity,
        Duration.millis(-5),
        -5n
      ]
    ],
    ["maxRetryAfter", ["soon", -1, {}, null]],
    ["shutdownTimeout", ["soon", -1, "-2 seconds", Symbol("s")]],
    [
      "maxRetries",
      [
        -1,
        1.5,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        "3.5",
        "-1",
        "three",
        2 ** 53,
        null,
        true,
        [3],
        Object.create(null)
      ]
    ],
    ["queueMaxSize", [-1, 1.5, "0", {}]],
    ["queueMaxBytes", [-1, 1.5, "many"]],
    ["maxRecordBytes", [-1, 1.5, "many"]],
    ["concurrency", [-1, 1.5, "many", Symbol("s")]],
    ["queuePolicy", ["drop", "DROP-OLDEST", 1, null, {}]],
    ["outage", ["wait", true, Object.create(null)]],
    ["runtimeContext", ["yes", 1, null]],
    ["commitments", ["yes", 1, null]],
    ["journal", ["", 1, null]],
    ["allowInsecure", ["yes", 1, null]],
    ["environment", ["", "a\u0000b", "\ud800", 5, null]],
    ["headers", ["x: y", null, 5, ["a"], new Headers({ a: "b" }), new Map([["a", "b"]])]],
    ["redact", ["input.a", null, [5], {}, ["policy"], ["input"], ["nowhere.x"]]]
  ]

  it.each(bad)("a bad %s names itself, what is wrong and what to do", (setting, values) => {
    for (const value of values) {
      const error = errorOf({ [setting]: value })
      assert.strictEqual(error._tag, "ConfigurationError")
      assert.strictEqual(error.code, "CONFIGURATION_ERROR")
      assert.strictEqual(error.setting, setting)
      assert.isNotEmpty(error.problem)
      assert.match(error.fix, /^(Use|The|Remove|Set)/)
      assert.strictEqual(error.message, `Setting ${setting} ${error.problem}. ${error.fix}`)
      assert.notInclude(error.message, "secret")
    }
  })

  it("a full outbox must hold the largest record", () => {
    const error = errorOf({ queueMaxBytes: 1_000, maxRecordBytes: 1_001 })
    assert.strictEqual(error.setting, "queueMaxBytes")
    assert.include(error.problem, "maxRecordBytes (1001)")
    assert.strictEqual(settingsOf({ queueMaxBytes: 1_000, maxRecordBytes: 1_000 }).queueMaxBytes, 1_000)
  })

  it("a redact function is taken as it is, paths are compiled", () => {
    const redact = (decision: Decision): Decision => decision
    assert.strictEqual(settingsOf({ redact }).redact, redact)
    const { redact: none, redactions } = settingsOf({ redact: ["input.a"] })
    assert.isUndefined(none)
    assert.deepStrictEqual(Object.keys(redactions), ["input"])
  })
})

describe("the API key", () => {
  it.each(hashVectors.validators.isValidApiKey)("is taken where the ledger takes it: $v", ({ ok, v }) => {
    assert.strictEqual(Exit.isSuccess(Effect.runSyncExit(apiKeyFrom(v))), ok)
  })

  const others = [
    "pk_live_canary0123456789abcdefghij",
    `${apiKey}\r\nX-Evil: canary`,
    `${apiKey}\n`,
    ` ${apiKey}`,
    `"${apiKey}"`,
    `${apiKey}\u0000`,
    "xase_pk_cänary0123456789abcdefghij",
    "xase_pk_short_canary",
    `xase_pk_${"canary".repeat(30)}`
  ]

  it.each(others)(
    "with other characters, or of another form, is a typed error that does not show it: %j (R32, R33)",
    (bad) => {
      for (const [options, env, setting] of [
        [{ apiKey: bad }, {}, "apiKey"],
        [{ apiKey: Redacted.make(bad) }, {}, "apiKey"],
        [{ apiKey: undefined }, { XASE_API_KEY: bad }, "apiKey (XASE_API_KEY)"]
      ] as const) {
        const error = errorOf(options, env)
        assert.strictEqual(error.code, "CONFIGURATION_ERROR")
        assert.strictEqual(error.setting, setting)
        assert.notInclude(inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error) + error.stack, "anary")
      }
    }
  )

  it.each([
    ["nothing", {}, {}],
    ["empty", { apiKey: "" }, {}],
    ["null", { apiKey: null }, {}],
    ["an empty variable", {}, { XASE_API_KEY: "" }],
    ["empty, whatever the variable", { apiKey: "" }, { XASE_API_KEY: apiKey }]
  ])("is missing when it is %s", (_, options, env) => {
    const error = errorOf({ apiKey: undefined, ...options }, env)
    assert.strictEqual(error.code, "MISSING_API_KEY")
    assert.include(error.message, "key that the ledger issued")
  })

  it("stays hidden in the settings (R32)", () => {
    const settings = settingsOf()
    assert.notInclude(inspect(settings, { depth: 9, showHidden: true }) + JSON.stringify(settings), "canary")
    assert.strictEqual(Redacted.value(settings.apiKey), apiKey)
  })

  it.each(["baseUrl", "timeout", "maxRetries", "queuePolicy", "outage", "redact", "headers", "runtimeContext"])(
    "in the place of %s is not shown either (R32)",
    (setting) => {
      for (const value of [apiKey, [apiKey], { [apiKey]: `${apiKey}\n` }, `${apiKey}\u0000`]) {
        const error = errorOf({ [setting]: value })
        assert.strictEqual(error.setting, setting)
        assert.notInclude(inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error), "canary")
      }
    }
  )
})

describe("the address", () => {
  it.each([
    "http://localhost:3000/x",
    "http://LOCALHOST/x",
    "http://127.0.0.1/x",
    "http://127.255.0.9:80/x",
    "http://127.1/x",
    "http://2130706433/x",
    "http://0x7f.1/x",
    "http://[::1]/x",
    "http://[0:0:0:0:0:0:0:1]:3000/x",
    "https://ledger.example/x"
  ])("%s is safe for the key (R35)", (baseUrl) => assert.isString(settingsOf({ baseUrl }).baseUrl))

  it.each([
    "http://ledger.example/x",
    "http://localhost.evil.com/x",
    "http://localhost./x",
    "http://localhostx/x",
    "http://127.0.0.1.evil.com/x",
    "http://evil.com/127.0.0.1",
    "http://128.0.0.1/x",
    "http://10.0.0.1/x",
    "http://0.0.0.0/x",
    "http://[::2]/x",
    "http://[::1.evil.com/x",
    "http://[::ffff:10.0.0.1]/x",
    "http://127.0.0.1@evil.com/x",
    "http://localhost:pw@evil.com/x",
    "http://evil.com\\@localhost/x",
    "http://evil.com#@localhost/",
    "http://127。0。0。1.evil.com/x"
  ])("%s is not (R35)", (baseUrl) => assert.strictEqual(errorOf({ baseUrl }).setting, "baseUrl"))

  it("may be http:// elsewhere when the caller says so, but never with a password in it", () => {
    assert.strictEqual(
      settingsOf({ baseUrl: "http://ledger.internal:80/x", allowInsecure: true }).baseUrl,
      "http://ledger.internal/x"
    )
    assert.strictEqual(errorOf({ baseUrl: "http://a:b@ledger.internal/x", allowInsecure: true }).setting, "baseUrl")
  })

  it.each([
    ["https://a.example/api/", "https://a.example/api"],
    ["https://a.example//api///v1//", "https://a.example/api/v1"],
    ["https://a.example", "https://a.example"],
    ["https://a.example:443/", "https://a.example"],
    ["https://A.Example/API", "https://a.example/API"]
  ])("%s becomes %s, because the ledger redirects the rest", (baseUrl, normal) => {
    assert.strictEqual(settingsOf({ baseUrl }).baseUrl, normal)
  })
})

describe("more headers", () => {
  it("are kept, their names in lower case", () => {
    assert.deepStrictEqual(settingsOf({ headers: { "X-Tenant": "a b", "user-agent": "mine/1" } }).headers, {
      "x-tenant": "a b",
      "user-agent": "mine/1"
    })
  })

  it.each([
    "X-API-Key",
    "authorization",
    "Idempotency-Key",
    "Content-Type",
    "content-length",
    "Content-Encoding",
    "Transfer-Encoding",
    "connection",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Upgrade",
    "HOST",
    "Cookie",
    "Expect"
  ])("cannot be %s (R34)", (name) => {
    const error = errorOf({ headers: { [name]: "secret" } })
    assert.strictEqual(error.setting, "headers")
    assert.include(error.problem, name.toLowerCase())
    assert.notInclude(error.message, "secret")
  })

  it.each([
    ["x\r\nX-Api-Key", "v"],
    ["x y", "v"],
    ["x:y", "v"],
    ["", "v"],
    ["é", "v"],
    ["x\u0000", "v"],
    ["x-a", "secret\r\nX-Api-Key: other"],
    ["x-a", "secret\n"],
    ["x-a", "secret\u0000"],
    ["x-a", "secret é"],
    ["x-a", "secret\u007f"],
    ["x-a", 5],
    ["x-a", undefined]
  ])("cannot be %j: %j (R33)", (name, value) => {
    const error = errorOf({ headers: { [name]: value } })
    assert.strictEqual(error.setting, "headers")
    assert.notInclude(error.message, "secret")
  })
})

describe("settings of one face only", () => {
  const read = (value: unknown, env: Environment = {}) =>
    Effect.runSyncExit(booleanSetting("fireAndForget", "XASE_FIRE_AND_FORGET", value, true).pipe(inEnvironment(env)))

  it.each([
    [undefined, {}, true],
    [false, {}, false],
    [undefined, { XASE_FIRE_AND_FORGET: "false" }, false],
    [undefined, { XASE_FIRE_AND_FORGET: "0" }, false],
    [undefined, { XASE_FIRE_AND_FORGET: "1" }, true],
    [true, { XASE_FIRE_AND_FORGET: "false" }, true]
  ])("are read by the same rules: %s %j", (value, env, expected) => {
    assert.deepStrictEqual(read(value, env), Exit.succeed(expected))
  })

  it("and refused by the same rules", () => {
    assert.isTrue(Exit.isFailure(read("maybe")))
    assert.isTrue(Exit.isFailure(read(undefined, { XASE_FIRE_AND_FORGET: "maybe" })))
  })
})
