/**
 * How the commands find their ledger: flags, else the `XASE_*` variables.
 */

import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Journal from "../Journal.ts"
import { layer as layerLedger } from "../Ledger.ts"
import * as NodeTransport from "../NodeTransport.ts"
import { layerRecorder, layerService } from "../Xase.ts"
import * as XaseConfig from "../XaseConfig.ts"
import { failed } from "./Output.ts"

/** The root command with the flags that all commands share. */
export const xase = Command.make("xase").pipe(
  Command.withSharedFlags({
    url: Flag.String("url").pipe(Flag.withDescription("The ledger's address, instead of XASE_BASE_URL"), Flag.optional),
    apiKey: Flag.Redacted("api-key").pipe(Flag.withDescription("The API key, instead of XASE_API_KEY"), Flag.optional),
    journal: Flag.String("journal").pipe(
      Flag.withDescription("The journal of what was sent, instead of XASE_JOURNAL"),
      Flag.optional
    ),
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON for machines"), Flag.withDefault(false))
  }),
  Command.withDescription("Record decisions as evidence, look at them, verify them")
)

const given = Effect.map(
  xase,
  ({ apiKey, journal, url }): XaseConfig.Options => ({
    apiKey: Option.getOrUndefined(apiKey),
    baseUrl: Option.getOrUndefined(url),
    journal: Option.getOrUndefined(journal)
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
    Layer.provide(layerRecorder),
    Layer.provide(Journal.layer),
    Layer.provide(ledgerOf(config)),
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
