/**
 * Optional packages, loaded when they are needed: who does not use an engine does not install its driver.
 */
import * as Effect from "effect/Effect"
import { OutboxUnavailable } from "../XaseError.ts"

/** Loads a package, or says which one to install. */
export const loadPeer = <A>(
  outbox: string,
  name: string,
  load: () => Promise<A>
): Effect.Effect<A, OutboxUnavailable> =>
  Effect.tryPromise({
    try: load,
    catch: () =>
      new OutboxUnavailable({
        outbox,
        problem: `the package ${name} is not installed`,
        fix: `Run npm install ${name}.`,
        stored: "no"
      })
  })
