/**
 * What the ledger hands out as proof of one record: a manifest, a signature over it, the payloads if they are asked for.
 *
 * The signature covers the 32 bytes of the SHA-256 of `decision.json`, which is the manifest as one line of JSON. The
 * bundle can be checked offline with `verify.js`, which is part of it, or by hand: `sha256sum decision.json`.
 */

import { createHash } from "node:crypto"
import { strToU8, zipSync } from "fflate"
import { parseLeniently } from "../../evidence/StrictJson.ts"
import { isoTime, type StoredRecord } from "../records/RecordRow.ts"
import { algorithm, type SigningKey } from "./SigningKey.ts"

/** What goes into a bundle. */
export interface Contents {
  readonly record: StoredRecord
  readonly tenantName: string
  readonly includePayloads: boolean
  /** Epoch milliseconds. */
  readonly now: number
}

/** A bundle, complete. */
export interface ProofBundle {
  readonly manifest: object
  readonly proof: object
  /** Absent where they were not asked for; empty where the ledger keeps none. */
  readonly payloads?: { readonly [name: string]: unknown } | undefined
  readonly verification_script: string
  /** The text of `decision.json`, of which the proof has the hash. */
  readonly decision: string
}

/** Makes and signs a bundle. */
export const make = (contents: Contents, key: SigningKey): ProofBundle => {
  const manifest = manifestOf(contents)
  const decision = JSON.stringify(manifest)
  const digest = createHash("sha256").update(decision).digest()
  const { fingerprint, pem } = key.publicKey()
  const { record } = contents
  return {
    manifest,
    decision,
    proof: {
      hash: digest.toString("hex"),
      hash_of: "decision.json",
      signature: key.sign(digest),
      signature_of: "the 32 bytes of hash",
      algorithm,
      key_id: fingerprint,
      public_key_pem: pem,
      record_hash: record.recordHash,
      previous_hash: record.previousHash,
      signed_at: isoTime(contents.now)
    },
    ...(contents.includePayloads ? { payloads: payloadsOf(record) } : {}),
    verification_script: verificationScript
  }
}

const present = (fields: { readonly [name: string]: string | number | null }): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))

const manifestOf = ({ now, record, tenantName }: Contents): object => ({
  version: "1.0.0",
  format: "xase-proof-bundle-v1",
  transaction_id: record.transactionId,
  exported_at: isoTime(now),
  record: {
    transaction_id: record.transactionId,
    timestamp: isoTime(record.timestamp),
    ...present({
      policy_id: record.policyId,
      policy_version: record.policyVersion,
      decision_type: record.decisionType,
      confidence: record.confidence,
      processing_time: record.processingTime
    })
  },
  hashes: {
    input_hash: record.inputHash,
    output_hash: record.outputHash,
    record_hash: record.recordHash,
    ...present({ context_hash: record.contextHash, previous_hash: record.previousHash })
  },
  chain: { position: record.position, is_genesis: record.previousHash === null },
  tenant: { name: tenantName }
})

const payloadsOf = (record: StoredRecord): { readonly [name: string]: unknown } => {
  const kept = { input: record.inputPayload, output: record.outputPayload, context: record.contextPayload }
  return Object.fromEntries(
    Object.entries(kept).flatMap(([name, text]) => (text === null ? [] : [[name, parseLeniently(text)]]))
  )
}

/** The bundle as a ZIP: `decision.json`, `proof.json`, `verify.js` and `payloads/`. */
export const toZip = (bundle: ProofBundle): Uint8Array =>
  zipSync({
    "decision.json": strToU8(bundle.decision),
    "proof.json": strToU8(JSON.stringify(bundle.proof, null, 2)),
    "verify.js": strToU8(bundle.verification_script),
    ...Object.fromEntries(
      Object.entries(bundle.payloads ?? {}).map(([name, payload]) => [
        `payloads/${name}.json`,
        strToU8(JSON.stringify(payload))
      ])
    )
  })

const verificationScript = `// node verify.js [trusted-public-key.pem]
// Checks decision.json against proof.json. Without a key that you trust from elsewhere this shows only that the
// bundle is whole, not who made it.
const { createHash, createPublicKey, verify } = require("node:crypto")
const { readFileSync } = require("node:fs")
const { join } = require("node:path")

const at = (name) => join(__dirname, name)
const proof = JSON.parse(readFileSync(at("proof.json"), "utf8"))
const bytes = readFileSync(at("decision.json"))
const { hashes } = JSON.parse(bytes.toString("utf8"))
const digest = createHash("sha256").update(bytes).digest()
const trusted = process.argv[2]
const key = createPublicKey(trusted ? readFileSync(trusted) : proof.public_key_pem)
const chained = createHash("sha256")
  .update((hashes.previous_hash ?? "") + hashes.input_hash + hashes.output_hash + (hashes.context_hash ?? ""))
  .digest("hex")

const checks = {
  "decision.json has the hash of the proof": digest.toString("hex") === proof.hash,
  "the signature is the key's": verify("sha256", digest, key, Buffer.from(proof.signature, "base64")),
  "the record hash is made of its parts": chained === hashes.record_hash && chained === proof.record_hash
}
for (const [name, holds] of Object.entries(checks)) console.log((holds ? "yes  " : "NO   ") + name)
if (!trusted) console.log("The key is the bundle's own: pass one that you trust.")
process.exitCode = Object.values(checks).every(Boolean) ? 0 : 1
`
