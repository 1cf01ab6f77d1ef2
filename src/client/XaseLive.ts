/**
 * The client as most Effect applications want it: settings from `XASE_*` variables, Node's HTTP, an outbox in memory.
 */
import * as Layer from "effect/Layer"
import * as NodeTransport from "../ledger/NodeTransport.ts"
import type { ConfigurationError } from "../XaseError.ts"
import { layerOver, type Xase } from "./Xase.ts"

/**
 * Records decisions with settings from `XASE_*` variables, over Node's fast HTTP client.
 *
 * **Example**
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const xase = yield* Xase
 *   yield* xase.record({ policy: "credit_policy_v4", input, output, confidence: 0.94 })
 * })
 * program.pipe(Effect.provide(XaseLive), NodeRuntime.runMain)
 * ```
 */
export const XaseLive: Layer.Layer<Xase, ConfigurationError> = Layer.provide(layerOver({}), NodeTransport.layer)
