/**
 * What can go wrong on request, and which request it happens to.
 *
 * Faults are data: given at the start, changed at run time, sent as JSON. A sequence is used up request by request, then
 * all is normal again; `always` and `rates` hold until they are changed. How a fault is done is `FaultInjection`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"

const milliseconds = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 86_400_000 }))

/**
 * What every fault may say besides: `delay` waits so many milliseconds first; `commit` decides whether the request is
 * carried out before it goes wrong (the record is then stored, and the client cannot know).
 */
const common = {
  delay: Schema.optionalKey(milliseconds),
  commit: Schema.optionalKey(Schema.Boolean)
}

/** The forms in which a server says "later"; `none` says nothing. */
export const laterForms = [
  "retry-after-seconds",
  "retry-after-date",
  "body",
  "reset-seconds",
  "reset-millis",
  "reset-delta",
  "none"
] as const

const status = Schema.Int.check(Schema.isBetween({ minimum: 200, maximum: 599 }))

/**
 * One thing that goes wrong.
 *
 * - `none`: nothing (a place in a sequence; with `delay`, only latency).
 * - `status`: another status, with the ledger's kind of error body or your own `body`.
 * - `rate-limit`: 429, with one form of "later".
 * - `reset`: the connection is reset, before the answer or inside it.
 * - `stall`: the answer stops coming, before its headers or inside its body.
 * - `truncate`: half of the body, then the connection ends.
 * - `redirect`: to another address.
 * - `alien-body`: a success whose body is not the ledger's.
 * - `gzip-bomb`: a small compressed body that is large when unpacked.
 *
 * `commit` is true by default for `reset` inside, `stall` in the body, `truncate`, `alien-body` and `gzip-bomb`, and
 * false for the others. An answer lost after commit is `{ type: "reset", commit: true }`.
 */
export const Fault = Schema.Union([
  Schema.Struct({ type: Schema.Literal("none"), ...common }),
  Schema.Struct({
    type: Schema.Literal("status"),
    status,
    code: Schema.optionalKey(Schema.String),
    body: Schema.optionalKey(Schema.String),
    headers: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
    ...common
  }),
  Schema.Struct({
    type: Schema.Literal("rate-limit"),
    later: Schema.Literals(laterForms),
    seconds: Schema.Finite,
    ...common
  }),
  Schema.Struct({
    type: Schema.Literal("reset"),
    when: Schema.optionalKey(Schema.Literals(["before", "inside"])),
    ...common
  }),
  Schema.Struct({
    type: Schema.Literal("stall"),
    where: Schema.optionalKey(Schema.Literals(["headers", "body"])),
    ...common
  }),
  Schema.Struct({ type: Schema.Literal("truncate"), ...common }),
  Schema.Struct({
    type: Schema.Literal("redirect"),
    status: Schema.optionalKey(Schema.Literals([301, 302, 303, 307, 308])),
    location: Schema.String,
    ...common
  }),
  Schema.Struct({
    type: Schema.Literal("alien-body"),
    body: Schema.String,
    status: Schema.optionalKey(status),
    contentType: Schema.optionalKey(Schema.String),
    ...common
  }),
  Schema.Struct({
    type: Schema.Literal("gzip-bomb"),
    megabytes: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1024 })),
    ...common
  })
])

/** One thing that goes wrong. */
export type Fault = typeof Fault.Type

/**
 * What shall go wrong.
 *
 * - `sequence`: what happens to the next requests, in this order; then normal.
 * - `always`: what happens to every request that the sequence leaves alone.
 * - `rates`: what happens to some of them, each with its probability (0 to 1).
 * - `latency`: milliseconds that every request waits first.
 * - `on`: `records` (default) for `POST /records` alone, `all` for every route.
 */
export const FaultSettings = Schema.Struct({
  sequence: Schema.optionalKey(Schema.Array(Fault)),
  always: Schema.optionalKey(Fault),
  rates: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({ fault: Fault, rate: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })) })
    )
  ),
  latency: Schema.optionalKey(milliseconds),
  on: Schema.optionalKey(Schema.Literals(["records", "all"]))
})

/** What shall go wrong. */
export type FaultSettings = typeof FaultSettings.Type

/** Settings that are not what they should be. */
export class InvalidFaults extends Schema.TaggedError<InvalidFaults>()("InvalidFaults", { detail: Schema.String }) {
  override get message() {
    return `These faults cannot be set: ${this.detail}`
  }
}

/** Which faults happen to which request. */
export class Faults extends Context.Service<
  Faults,
  {
    /** Replaces all settings; `{}` ends all faults. */
    readonly set: (settings: FaultSettings) => Effect.Effect<void, InvalidFaults>
    /** The settings as they are now: a sequence gets shorter as it is used. */
    readonly current: Effect.Effect<FaultSettings>
    /** Whether any request of this kind can meet a fault: cheap, asked for every request. */
    readonly concerns: (isRecording: boolean) => boolean
    /** The faults of the next request, in the order in which they happen. */
    readonly next: Effect.Effect<ReadonlyArray<Fault>>
  }
>()("xase-sdk/Faults") {}

const validate = (settings: unknown) =>
  Effect.mapError(
    Schema.decodeUnknownEffect(FaultSettings, { errors: "all", onExcessProperty: "error" })(settings),
    (error) => new InvalidFaults({ detail: error.message })
  )

/** Begins with the given settings. */
export const layer = (initial: FaultSettings): Layer.Layer<Faults, InvalidFaults> =>
  Layer.effect(
    Faults,
    Effect.gen(function* () {
      let settings = yield* validate(initial)
      let sequence = [...(settings.sequence ?? [])]

      const hasFaults = (): boolean =>
        sequence.length > 0 ||
        settings.always !== undefined ||
        settings.latency !== undefined ||
        (settings.rates ?? []).length > 0

      const chosen = Effect.suspend((): Effect.Effect<Fault | undefined> => {
        const scripted = sequence.shift()
        return scripted === undefined ? unscripted : Effect.succeed(scripted)
      })

      const unscripted = Effect.gen(function* () {
        if (settings.always !== undefined) return settings.always
        let luck = yield* Random.next
        for (const { fault, rate } of settings.rates ?? []) {
          if (luck < rate) return fault
          luck -= rate
        }
        return undefined
      })

      return {
        set: (replacement) =>
          Effect.map(validate(replacement), (valid) => {
            settings = valid
            sequence = [...(valid.sequence ?? [])]
          }),
        current: Effect.sync(() => ({ ...settings, sequence })),
        concerns: (isRecording) => hasFaults() && (isRecording || settings.on === "all"),
        next: Effect.map(chosen, (fault) => [
          ...(settings.latency === undefined ? [] : [{ type: "none", delay: settings.latency } as const]),
          ...(fault === undefined ? [] : [fault])
        ])
      }
    })
  )
