import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Redacted } from "effect"
import { type DurableSettings, describe as describeOutbox } from "../../src/settings/OutboxSettings.ts"
import { make, type Options } from "../../src/settings/XaseConfig.ts"
import type { ConfigurationError } from "../../src/XaseError.ts"

const apiKey = `xase_pk_${"k".repeat(32)}`

const read = (options: unknown, env: { readonly [variable: string]: string } = {}) =>
  make({ apiKey, ...(options as Options) }).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
  )

const durable = (outbox: unknown, env = {}): DurableSettings => {
  const { outbox: settings } = Effect.runSync(read({ outbox }, env))
  if (settings.kind === "memory") throw new Error("not durable")
  return settings
}

const refused = (options: unknown): ConfigurationError => Effect.runSync(Effect.flip(read(options)))

describe("the address of an outbox", () => {
  it.each([
    ["sqlite:./outbox.db", "sqlite", "./outbox.db"],
    ["sqlite:/var/lib/xase/outbox.db", "sqlite", "/var/lib/xase/outbox.db"],
    ["redis://localhost:6379/2", "redis", "redis://localhost:6379/2"],
    ["rediss://user:secret@redis.internal", "redis", "rediss://user:secret@redis.internal"],
    ["postgres://xase@db/evidence", "postgres", "postgres://xase@db/evidence"],
    ["postgresql://xase@db/evidence", "postgres", "postgresql://xase@db/evidence"]
  ])("%s is one", (url, kind, location) => {
    const settings = durable(url)
    assert.strictEqual(settings.kind, kind)
    assert.strictEqual(Redacted.value(settings.location), location)
  })

  it("may be in XASE_OUTBOX, and the option wins", () => {
    assert.strictEqual(durable(undefined, { XASE_OUTBOX: "sqlite:a.db" }).kind, "sqlite")
    assert.strictEqual(durable("redis://localhost", { XASE_OUTBOX: "sqlite:a.db" }).kind, "redis")
    assert.deepStrictEqual(Effect.runSync(read({ outbox: "memory" }, { XASE_OUTBOX: "sqlite:a.db" })).outbox, {
      kind: "memory"
    })
  })

  it.each(["", " ", "outbox.db", "sqlite:", "mysql://localhost", "http://localhost", 7, null, {}, { url: 7 }])(
    "%j is none, and what is said names the setting and the ways to write one",
    (outbox) => {
      const error = refused({ outbox })
      assert.strictEqual(error.setting, "outbox")
      assert.include(error.fix, "sqlite:./outbox.db")
    }
  )

  it("keeps its password: it is in no error, no inspection and no description", () => {
    const url = "postgres://someone:canary-password@db.internal:5433/evidence?sslmode=require"
    const settings = durable(url)
    assert.strictEqual(describeOutbox(settings), "postgres://db.internal:5433/evidence")
    assert.notInclude(inspect(settings, { depth: 9, showHidden: true }), "canary-password")
    assert.notInclude(JSON.stringify(settings), "canary-password")
    assert.notInclude(refused({ outbox: { url, durability: "canary" } }).message, "canary-password")
    assert.notInclude(refused({ outbox: "postgress://someone:canary-password@db" }).message, "canary-password")
  })
})

describe("the options of an outbox", () => {
  it("have defaults", () => {
    const { location: _, ...settings } = durable({ url: "sqlite:a.db" })
    assert.deepStrictEqual(
      {
        ...settings,
        lease: Duration.toMillis(settings.lease),
        idempotencyWindow: Duration.toHours(settings.idempotencyWindow)
      },
      {
        kind: "sqlite",
        durability: "fsync",
        onUnavailable: "fail",
        deliver: true,
        lease: 30_000,
        idempotencyWindow: 23
      }
    )
  })

  it.each([
    [{ durability: "paper" }, 'durability "paper"', "fsync, os"],
    [{ onUnavailable: "panic" }, 'onUnavailable "panic"', "fail, memory"],
    [{ deliver: "no" }, "deliver", "true or false"],
    [{ lease: 2_999 }, "too short", "3 seconds"],
    [{ lease: "soon" }, "lease", "milliseconds"],
    [{ idempotencyWindow: 0 }, "idempotencyWindow", "milliseconds"]
  ])("%j is refused", (option, problem, fix) => {
    const error = refused({ outbox: { url: "sqlite:a.db", ...option } })
    assert.include(error.problem, problem)
    assert.include(error.fix, fix)
  })
})

describe("the rate limit", () => {
  it("is a number in a window", () => {
    const limit = (rateLimit: unknown) => {
      const settings = Effect.runSync(read({ rateLimit })).rateLimit
      return [settings?.limit, settings === undefined ? undefined : Duration.toMillis(settings.window)]
    }
    assert.deepStrictEqual(limit({ limit: 1_000 }), [1_000, 3_600_000])
    assert.deepStrictEqual(limit({ limit: 5, window: "1 minute" }), [5, 60_000])
    assert.deepStrictEqual(limit(undefined), [undefined, undefined])
  })

  it.each([7, "1000", {}, { limit: 0 }, { limit: 1.5 }, { limit: 5, window: 0 }, { limit: 5, window: "soon" }])(
    "%j is none",
    (rateLimit) => {
      assert.strictEqual(refused({ rateLimit }).setting, "rateLimit")
    }
  )
})
