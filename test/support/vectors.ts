/**
 * What was captured from the public ledger: its hashes and its HTTP exchanges.
 */
import { readFileSync } from "node:fs"

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), "utf8"))

export interface HashVectors {
  readonly canonicalization: ReadonlyArray<{
    readonly name: string
    readonly value_json: string
    readonly canonical: string
    readonly hash: string
  }>
  readonly chain: ReadonlyArray<{
    readonly name: string
    readonly previous_hash: string | null
    readonly data: string
    readonly record_hash: string
  }>
  readonly records: ReadonlyArray<{
    readonly name: string
    readonly input_json: string
    readonly output_json: string
    readonly context_json: string | null
    readonly previous_hash: string | null
    readonly input_hash: string
    readonly output_hash: string
    readonly context_hash: string | null
    readonly record_hash: string
  }>
  readonly validators: {
    readonly isValidTransactionId: ReadonlyArray<{ readonly v: string; readonly ok: boolean }>
    readonly isValidApiKey: ReadonlyArray<{ readonly v: string; readonly ok: boolean }>
  }
}

export const hashVectors = read("hash-vectors.json") as HashVectors

export interface Exchange {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly status: number
  readonly response_body: unknown
}

export const exchanges = (read("http-exchanges.json") as { readonly exchanges: ReadonlyArray<Exchange> }).exchanges
