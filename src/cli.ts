#!/usr/bin/env node
/**
 * The `xase` command. Exit codes: 0 all is well, 1 evidence is wrong, 2 usage, settings or connection, 130 interrupted.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { audit } from "./cli/AuditCommand.ts"
import { bundle } from "./cli/BundleCommand.ts"
import { xase } from "./cli/Connection.ts"
import { dev } from "./cli/DevCommand.ts"
import { keys } from "./cli/KeysCommand.ts"
import { list, show, stats, verify } from "./cli/LookCommands.ts"
import { outbox } from "./cli/OutboxCommand.ts"
import { EvidenceWrong, red, safe } from "./cli/Output.ts"
import { record } from "./cli/RecordCommand.ts"
import { relay } from "./cli/RelayCommand.ts"
import { version } from "./Version.ts"

const command = xase.pipe(
  Command.withSubcommands([dev, keys, record, list, show, verify, audit, bundle, stats, outbox, relay])
)

/** Usage errors print their help by themselves; everything else ends in one line. */
const report = (cause: Cause.Cause<{ readonly _tag: string; readonly message: string }>): Effect.Effect<void> =>
  Effect.sync(() => {
    const error = Cause.findErrorOption(cause)
    if (Option.isSome(error) ? error.value._tag === "ShowHelp" : Cause.hasInterruptsOnly(cause)) return
    const message = Option.isSome(error) ? error.value.message : `unexpected: ${Cause.pretty(cause)}`
    process.stderr.write(`${red("xase:")} ${safe(message)}\n`)
  })

const exitCode = <A, E>(exit: Exit.Exit<A, E>): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.hasInterruptsOnly(exit.cause)) return 130
  const error = Cause.findErrorOption(exit.cause)
  if (Option.isNone(error)) return 2
  if (error.value instanceof EvidenceWrong) return 1
  const { value } = error
  const isHelp = typeof value === "object" && value !== null && "errors" in value
  return isHelp && Array.isArray(value.errors) && value.errors.length === 0 ? 0 : 2
}

Command.run(command, { version }).pipe(
  Effect.tapCause(report),
  Effect.provide(NodeServices.layer),
  // The one line about a failure is printed above; the state of delivery goes to standard error.
  Effect.provide(Logger.layer([Logger.make(({ message }) => void process.stderr.write(`${safe(String(message))}\n`))])),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown: (exit, onExit) => onExit(exitCode(exit)) })
)
