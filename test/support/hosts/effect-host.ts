/**
 * An Effect application that a test starts as a process of its own, with the ledger in `XASE_BASE_URL`: it records 500
 * decisions and then waits for a signal.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Xase, XaseLive } from "../../../src/index.ts"

const program = Effect.gen(function* () {
  const xase = yield* Xase
  for (let n = 0; n < 500; n++) yield* xase.record({ policy: "p", input: { n }, output: {} })
  yield* Console.log("ready")
  return yield* Effect.never
})

program.pipe(Effect.provide(XaseLive), NodeRuntime.runMain)
