/**
 * How the commands find their ledger: flags, else the `XASE_*` variables.
 */
import { existsSync } from "node:fs"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Client from "../client/Client.ts"
import { layerService } from "../client/Xase.ts"
import * as Journal from "../delivery/Journal.ts"
import { layer as layerLedger } from "../ledger/Ledger.ts"
import * as NodeTransport from "../ledger/NodeTransport.ts"
import { openStore } from "../outbox/OpenOutbox.ts"
import type { OutboxStore } from "../outbox/OutboxEngine.ts"
import { type DurableSettings, describe } from "../settings/OutboxSettings.ts"
import * as XaseConfig from "../settings/XaseConfig.ts"
import { CommandFailed, failed } from "./Output.ts"

/** The root command with the flags that all commands share. */
export const xase = Command.make("xase").pipe(
  Command.withSharedFlags({
    url: Flag.String("url").pipe(Flag.withDescription("The ledger's address, instead of XASE_BASE_URL"), Flag.optional),
    apiKey: Flag.Redacted("api-key").pipe(Flag.withDescription("The API key, instead of XASE_API_KEY"), Flag.optional),
    journal: Flag.String("journal").pipe(
      Flag.withDescription("The journal of what was sent, instead of XASE_JOURNAL"),
      Flag.optional
    ),
    outbox: Flag.String("outbox").pipe(
      Flag.withDescription("Where records wait, instead of XASE_OUTBOX"),
      Flag.optional
    ),
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON for machines"), Flag.withDefault(false))
  }),
  Command.withDescription("Record decisions as evidence, look at them, verify them")
)

const given = Effect.map(
  xase,
  ({ apiKey, journal, outbox, url }): XaseConfig.Options => ({
    apiKey: Option.getOrUndefined(apiKey),
    baseUrl: Option.getOrUndefined(url),
    journal: Option.getOrUndefined(journal),
    outbox: Option.getOrUndefined(outbox)
  })
)

/** Flags first, then the environment; records wait for room rather than be dropped. */
const settings = Effect.flatMap(given, (options) =>
  Effect.mapError(XaseConfig.make({ queuePolicy: "backpressure", ...options }), failed)
)

/** The same for commands that ask public routes only: without a key of the user's one is made up that is never sent. */
const publicSettings = Effect.flatMap(given, (options) =>
  XaseConfig.make(options).pipe(
    Effect.catchIf(
      (error) => error.code === "MISSING_API_KEY",
      () => XaseConfig.make({ ...options, apiKey: `xase_pk_${"never-sent_".repeat(3)}` })
    ),
    Effect.mapError(failed)
  )
)

const ledgerOf = (config: XaseConfig.Settings) =>
  layerLedger.pipe(Layer.provide([NodeTransport.layer, Layer.succeed(XaseConfig.XaseConfig, config)]))

const clientOf = (config: XaseConfig.Settings) =>
  layerService.pipe(
    Layer.provideMerge(Client.layer),
    Layer.provide([Journal.layer, NodeTransport.layer]),
    Layer.provide(Layer.succeed(XaseConfig.XaseConfig, config))
  )

/** Runs with the ledger of the flags and variables. */
export const withLedger = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(settings, (config) => Effect.provide(effect, ledgerOf(config)))

/** Runs with the ledger, of which only public routes are asked. */
export const withPublicLedger = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(publicSettings, (config) => Effect.provide(effect, ledgerOf(config)))

const withSources = <A, E, R>(config: XaseConfig.Settings, effect: Effect.Effect<A, E, R>) =>
  Effect.provide(
    effect,
    Journal.layerReader.pipe(
      Layer.provideMerge(Layer.succeed(XaseConfig.XaseConfig, config)),
      Layer.provideMerge(ledgerOf(config)),
      Layer.catch((error) => Layer.effectContext(Effect.fail(failed(error))))
    )
  )

/** Runs with the ledger, the settings and the journal, if one is named. */
export const withJournal = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(settings, (config) => withSources(config, effect))

/** The same where no key is needed. */
export const withPublicJournal = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(publicSettings, (config) => withSources(config, effect))

/** Runs with a client. */
export const withClient = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(settings, (config) => Effect.provide(effect, clientOf(config)))

const notDurable = new CommandFailed({
  detail: "this needs a durable outbox: set XASE_OUTBOX or --outbox to sqlite:<path>, redis://... or postgres://..."
})

/** Runs with a client that delivers what is in its durable outbox, with more settings of the command's own. */
export const withRelay = <A, E, R>(
  effect: (outbox: DurableSettings) => Effect.Effect<A, E, R>,
  options: XaseConfig.Options
) =>
  Effect.gen(function* () {
    const config = yield* Effect.mapError(XaseConfig.make({ ...(yield* given), ...options }), failed)
    const { outbox } = config
    if (outbox.kind === "memory") return yield* notDurable
    return yield* Effect.provide(effect(outbox), clientOf({ ...config, outbox: { ...outbox, deliver: true } }))
  })

/** Opens the store of the durable outbox, to look after it. */
export const withOutboxStore = <A, E, R>(
  effect: (store: OutboxStore, outbox: DurableSettings) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const { outbox } = yield* publicSettings
    if (outbox.kind === "memory") return yield* notDurable
    if (outbox.kind === "sqlite" && !existsSync(Redacted.value(outbox.location))) {
      return yield* new CommandFailed({ detail: `there is no outbox at ${describe(outbox)}` })
    }
    const store = yield* Effect.mapError(openStore(outbox, true), failed)
    return yield* effect(store, outbox)
  }).pipe(Effect.scoped)
