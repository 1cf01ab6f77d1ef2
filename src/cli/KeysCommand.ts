/**
 * `xase keys`: the API keys of a ledger whose data folder is on this machine, running or not.
 */

import * as Console from "effect/Console"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ApiKeys, KeyStore, type Permission, permissions } from "../ledger-server/index.ts"
import { xase } from "./Connection.ts"
import { bold, CommandFailed, dim, failed, fields, green, json, red, safe, table } from "./Output.ts"

const data = Flag.String("data").pipe(Flag.withDescription("The data folder of the ledger"), Flag.withDefault(".xase"))

const withKeys = <A, E extends { readonly message: string }, R>(folder: string, effect: Effect.Effect<A, E, R>) =>
  Effect.mapError(Effect.provide(effect, KeyStore.layer(folder)), failed)

const readPermissions = (text: string): Effect.Effect<ReadonlyArray<Permission>, CommandFailed> =>
  Effect.forEach(text.split(","), (word) => {
    const permission = permissions.find((known) => known === word.trim())
    return permission === undefined
      ? Effect.fail(new CommandFailed({ detail: `--permissions has "${word}": use ${permissions.join(", ")}` }))
      : Effect.succeed(permission)
  })

const create = Command.make(
  "create",
  {
    data,
    name: Flag.String("name").pipe(Flag.withDescription("A name for people"), Flag.withDefault("default")),
    tenant: Flag.String("tenant").pipe(Flag.withDescription("Whose chain it writes"), Flag.optional),
    permissions: Flag.String("permissions").pipe(
      Flag.withDescription(`Some of ${permissions.join(", ")}, separated by commas`),
      Flag.withDefault(permissions.join(","))
    )
  },
  ({ data, name, permissions, tenant }) =>
    Effect.gen(function* () {
      const { json: asJson } = yield* xase
      const granted = yield* readPermissions(permissions)
      const key = yield* withKeys(
        data,
        ApiKeys.use((keys) => keys.create({ name, permissions: granted, tenant: Option.getOrUndefined(tenant) }))
      )
      if (asJson) return yield* json(key)
      yield* fields([
        ["API key", bold(key.apiKey)],
        ["id", key.id],
        ["tenant", safe(key.tenant)],
        ["may", key.permissions.join(", ")]
      ])
      yield* Console.log(dim("\n  The key is shown only now: the ledger keeps its hash."))
    })
).pipe(Command.withDescription("Make a key"))

const list = Command.make("list", { data }, ({ data }) =>
  Effect.gen(function* () {
    const { json: asJson } = yield* xase
    const keys = yield* withKeys(
      data,
      ApiKeys.use((service) => service.list)
    )
    if (asJson) return yield* json(keys)
    yield* table(
      ["id", "key", "name", "tenant", "may", "made", ""],
      keys.map((key) => [
        key.id,
        `${key.prefix}...`,
        safe(key.name),
        safe(key.tenant),
        key.permissions.join(", "),
        new Date(key.createdAt).toISOString(),
        key.isActive ? green("active") : red("revoked")
      ])
    )
  })
).pipe(Command.withDescription("List the keys"))

const revoke = Command.make(
  "revoke",
  { data, id: Argument.String("id").pipe(Argument.withDescription("The id of the key, key_...")) },
  ({ data, id }) =>
    Effect.gen(function* () {
      const { json: asJson } = yield* xase
      const isRevoked = yield* withKeys(
        data,
        ApiKeys.use((keys) => keys.revoke(id))
      )
      if (!isRevoked)
        return yield* new CommandFailed({ detail: `there is no active key ${safe(id)}: see xase keys list` })
      yield* asJson ? json({ revoked: id }) : Console.log(`${green("revoked")} ${safe(id)}`)
    })
).pipe(Command.withDescription("End a key"))

/** `xase keys`: makes and lists signing keys. */
export const keys = Command.make("keys").pipe(
  Command.withDescription("Make, list and end the API keys of a ledger on this machine"),
  Command.withSubcommands([create, list, revoke])
)
