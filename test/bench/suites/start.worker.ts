/**
 * What happens in a fresh process in the suite `start`.
 */
import type { Round } from "../harness/Samples.ts"
import { settings } from "../subjects/settings.ts"

/** Imports modules by the names that users write; ours from the build. */
export const load = async (modules: ReadonlyArray<string>): Promise<Round> => {
  const started = performance.now()
  for (const module of modules) await import(module)
  return { import: performance.now() - started }
}

/** From nothing loaded to the first receipt, with the build. */
export const firstReceipt = async (url: string): Promise<Round> => {
  const decision = { policy: "credit_policy_v4", input: { score: 720 }, output: { approved: true } }
  const started = performance.now()
  const { XaseClient } = await import("xase-sdk/promise")
  const imported = performance.now()
  await new Promise((resolve, reject) => {
    const client = new XaseClient({
      ...settings({ url, concurrency: 1 }),
      exitHandlers: false,
      onSuccess: resolve,
      onError: reject
    })
    client.record(decision)
  })
  return { import: imported - started, firstReceipt: performance.now() - started }
}
