import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { layerOver, Xase } from "../../../src/client/Xase.ts"
import * as NodeTransport from "../../../src/ledger/NodeTransport.ts"
import type { Transport } from "../../../src/ledger/Transport.ts"
import type { Loop, Open } from "./Subject.ts"
import { patience, settings } from "./settings.ts"

const repeat = ({ count, done, next, pause }: Loop) =>
  Effect.gen(function* () {
    const xase = yield* Xase
    for (let n = 0; n < count; n++) {
      const waiting = pause?.(n)
      if (waiting !== undefined) yield* Effect.promise(() => waiting)
      const decision = next(n)
      if (decision === undefined) return
      yield* xase.record(decision)
      done?.()
    }
  })

const flush = Effect.gen(function* () {
  const xase = yield* Xase
  yield* xase.flush(patience)
  const { accepted, delivered } = yield* xase.stats
  if (accepted !== delivered) throw new Error(`${accepted - delivered} records were lost`)
})

/** The Effect service over a transport. */
export const openOver =
  (transport: Layer.Layer<Transport>): Open =>
  (target) => {
    const runtime = ManagedRuntime.make(layerOver(settings(target)).pipe(Layer.provide(transport)))
    return {
      repeat: (loop) => runtime.runPromise(repeat(loop)),
      flush: () => runtime.runPromise(flush)
    }
  }

/** Over undici's dispatcher, as `XaseLive`. */
export const open: Open = openOver(NodeTransport.layer)
