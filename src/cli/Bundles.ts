/**
 * Proof bundles: fetched from the ledger, read from files, held against a trust policy.
 */
import { readFileSync } from "node:fs"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { request } from "undici"
import { type ProofBundle, readBundle } from "../evidence/Bundle.ts"
import { parse } from "../evidence/Json.ts"
import { parseTrustPolicy, type TrustPolicy } from "../evidence/TrustPolicy.ts"
import type { Settings } from "../settings/XaseConfig.ts"
import { CommandFailed } from "./Output.ts"

/** A bundle larger than this is not read, in bytes. */
const maxBundleBytes = 64 * 1024 * 1024

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** Downloads the bundle of a record, payloads included where the ledger keeps them. */
export const download = (config: Settings, transactionId: string): Effect.Effect<Uint8Array, CommandFailed> =>
  Effect.tryPromise({
    try: async (signal) => {
      const timeout = Duration.toMillis(config.timeout)
      const { body, statusCode } = await request(
        `${config.baseUrl}/export/${encodeURIComponent(transactionId)}/download`,
        {
          headers: { "x-api-key": Redacted.value(config.apiKey) },
          signal,
          headersTimeout: timeout,
          bodyTimeout: timeout
        }
      )
      if (statusCode !== 200) {
        await body.dump()
        throw new Error(
          `the ledger answered ${statusCode}${statusCode === 403 ? ": the key needs the permission export" : ""}`
        )
      }
      const chunks: Array<Buffer> = []
      let bytes = 0
      for await (const chunk of body) {
        bytes += chunk.length
        if (bytes > maxBundleBytes) throw new Error("the bundle is too large")
        chunks.push(chunk)
      }
      return new Uint8Array(Buffer.concat(chunks))
    },
    catch: (cause) => new CommandFailed({ detail: `no bundle of ${transactionId}: ${messageOf(cause)}` })
  })

/** Reads a file. */
export const readFile = (path: string): Effect.Effect<Uint8Array, CommandFailed> =>
  Effect.try({
    try: () => new Uint8Array(readFileSync(path)),
    catch: (cause) => new CommandFailed({ detail: `${path} cannot be read: ${messageOf(cause)}` })
  })

/** Reads the bundle in bytes; what is none fails. */
export const bundleOf = (bytes: Uint8Array, name: string): Effect.Effect<ProofBundle, CommandFailed> => {
  const { bundle, problem } = readBundle(bytes)
  return bundle === undefined
    ? Effect.fail(
        new CommandFailed({ detail: `${name} is no proof bundle: ${[problem.path, problem.message].join(" ").trim()}` })
      )
    : Effect.succeed(bundle)
}

/** Reads a trust policy from a file. */
export const trustPolicy = (path: string): Effect.Effect<TrustPolicy, CommandFailed> =>
  Effect.flatMap(readFile(path), (bytes) => {
    const { policy, problems } = parseTrustPolicy(parse(new TextDecoder().decode(bytes)))
    return policy === undefined
      ? Effect.fail(new CommandFailed({ detail: `${path} is no trust policy. ${problems.join("; ")}` }))
      : Effect.succeed(policy)
  })
