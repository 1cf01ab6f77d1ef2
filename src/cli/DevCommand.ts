/**
 * `xase dev`: a whole ledger on this machine, until Ctrl-C.
 */

import * as Console from "effect/Console"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { FaultSettings, LedgerServer } from "../ledger-server/index.ts"
import { version } from "../Version.ts"
import { xase } from "./Connection.ts"
import { bold, CommandFailed, dim, failed, fields, json } from "./Output.ts"

const rateLimitOf = (text: string): number | "unlimited" | undefined =>
  text === "unlimited" ? text : /^\d+$/.test(text) ? Number(text) : undefined

const decodeFaults = Schema.decodeUnknownResult(Schema.fromJsonString(FaultSettings))

/** `xase dev`: runs an embedded ledger for development. */
export const dev = Command.make(
  "dev",
  {
    port: Flag.Int("port").pipe(
      Flag.withAlias("p"),
      Flag.withDescription("0 takes a free one"),
      Flag.withDefault(3000)
    ),
    data: Flag.String("data").pipe(
      Flag.withDescription("A folder that keeps the records; without it they are in memory"),
      Flag.optional
    ),
    key: Flag.String("key").pipe(
      Flag.withDescription("A fixed API key; without it a fresh one is made"),
      Flag.optional
    ),
    rateLimit: Flag.String("rate-limit").pipe(
      Flag.withDescription("Records per clock hour and key, or unlimited"),
      Flag.withDefault("1000")
    ),
    quota: Flag.Int("quota").pipe(Flag.withDescription("Records before 402"), Flag.optional),
    faults: Flag.String("faults").pipe(Flag.withDescription("What shall go wrong, as JSON"), Flag.optional),
    compat: Flag.Literals("compat", ["embedded", "public"]).pipe(
      Flag.withDescription("public is as weak as the public ledger"),
      Flag.withDefault("embedded" as const)
    )
  },
  ({ compat, data, faults, key, port, quota, rateLimit }) =>
    Effect.gen(function* () {
      const { json: asJson } = yield* xase
      const limit = rateLimitOf(rateLimit)
      if (limit === undefined) {
        return yield* new CommandFailed({ detail: `--rate-limit is "${rateLimit}": use a whole number or unlimited` })
      }
      const decoded = Option.map(faults, decodeFaults)
      if (Option.isSome(decoded) && Result.isFailure(decoded.value)) {
        return yield* new CommandFailed({ detail: `--faults is wrong: ${decoded.value.failure.message}` })
      }
      const layer = LedgerServer.layer({
        port,
        compat,
        rateLimit: limit,
        dataFolder: Option.getOrUndefined(data),
        apiKey: Option.getOrUndefined(key),
        quota: Option.getOrUndefined(quota),
        ...(Option.isSome(decoded) && Result.isSuccess(decoded.value) ? { faults: decoded.value.success } : {})
      })
      yield* Effect.gen(function* () {
        const { apiKey, baseUrl, dashboardUrl } = yield* LedgerServer
        if (asJson) yield* json({ apiKey, baseUrl, dashboardUrl })
        else {
          yield* Console.log(`\n${bold("Xase ledger")} ${dim(version)}\n`)
          yield* fields([
            ["API", baseUrl],
            ["dashboard", dashboardUrl],
            ["API key", apiKey],
            ["data", Option.getOrElse(data, () => "in memory, gone when it stops (keep it with --data)")]
          ])
          yield* Console.log(
            `\n${dim("for your application")}\n  export XASE_API_KEY=${apiKey}\n  export XASE_BASE_URL=${baseUrl}\n\n${dim("Ctrl-C ends it")}\n`
          )
        }
        return yield* Effect.never
      }).pipe(Effect.provide(layer), Effect.mapError(failed))
    })
).pipe(
  Command.withDescription("Run a ledger on this machine"),
  Command.withExamples([
    { command: "xase dev --data .xase", description: "Keep the records in a folder" },
    { command: `xase dev --faults '{"rates":{"status":0.1}}'`, description: "See the built-in faults in the README" }
  ])
)
