/**
 * Verifies a proof bundle offline: the ledger's export of one record.
 *
 * The bundle's own key proves only that the bundle is whole, so it is never used: the signature counts when it is that of a
 * key that the caller trusts from somewhere else.
 */
import { type Payload, readEvidence } from "./CommitmentCheck.ts"
import { fromBase64, fromPem, verifySignature } from "./Dsse.ts"
import { isHash, isObject, isPrefixedHash, member, text } from "./Json.ts"
import type { JsonObject } from "./LedgerHash.ts"
import { recordHash } from "./LedgerHash.ts"
import { type KnownRecord, storedFields, verifyPayload } from "./RecordCheck.ts"
import { sha256Hex } from "./Sha256.ts"
import { parseStrict } from "./StrictJson.ts"
import type { TrustPolicy } from "./TrustPolicy.ts"
import { combine, conclude, type Findings, findings, type Problem, type Verdict } from "./Verdict.ts"
import { readZip } from "./Zip.ts"

/** What a bundle holds, as it was read; nothing of it is checked yet. */
export interface ProofBundle {
  /** The text of `decision.json`, to the byte. */
  readonly decision: string
  readonly manifest: JsonObject
  readonly proof: JsonObject
  /** Present where the ledger kept the payload and was asked for it. */
  readonly payload?: Payload | undefined
  /** Texts of it that not every reader understands alike: reason enough for an invalid verdict. */
  readonly problems?: ReadonlyArray<Problem> | undefined
}

/** A bundle, or why the bytes are none. */
export type ReadBundle =
  | { readonly bundle: ProofBundle; readonly problem?: undefined }
  | { readonly bundle?: undefined; readonly problem: Problem }

/** A bundle with more than this is not read: a few kilobytes of ZIP can claim gigabytes. */
const maxFileBytes = 64 * 1024 * 1024
const maxMembers = 16

const refuse = (path: string, message: string): ReadBundle => ({ problem: { reason: "malformed", path, message } })

/** What a bundle may hold, by name; `verify.js` is for people without this package and is not read. */
const expectedMember = /^(decision\.json|proof\.json|verify\.js|payloads\/(input|output|context)\.json)$/

/**
 * Reads a downloaded ZIP: `decision.json`, `proof.json`, `payloads/*.json`. A file that others could read otherwise is
 * refused: a second directory, members twice or of other names, JSON with one name twice. Never throws.
 */
export const readBundle = (zip: Uint8Array): ReadBundle => {
  const { files, problem } = readZip(zip, { maxBytes: maxFileBytes, maxMembers })
  if (problem !== undefined) return refuse("", problem)
  const stranger = [...files.keys()].find((name) => !expectedMember.test(name))
  if (stranger !== undefined) return refuse(stranger, "is no part of a proof bundle")
  const problems: Array<Problem> = []
  const objectIn = (name: string): JsonObject | undefined => objectOf(name, textOf(files.get(name)), problems)
  const decision = textOf(files.get("decision.json"))
  const manifest = objectIn("decision.json")
  const proof = objectIn("proof.json")
  if (decision === undefined || manifest === undefined) return refuse("decision.json", noObject)
  if (proof === undefined) return refuse("proof.json", noObject)
  const hasPayload = [...files.keys()].some((name) => name.startsWith("payloads/"))
  if (!hasPayload) return { bundle: { decision, manifest, proof, problems } }
  const [input, output, context] = ["input", "output", "context"].map((name) => objectIn(`payloads/${name}.json`))
  const isContextUnreadable = context === undefined && files.has("payloads/context.json")
  if (input === undefined || output === undefined || isContextUnreadable) {
    return refuse("payloads", "are incomplete or no JSON objects")
  }
  return { bundle: { decision, manifest, proof, payload: { input, output, ...(context && { context }) }, problems } }
}

const noObject = "is missing or no JSON object"

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const textOf = (bytes: Uint8Array | undefined): string | undefined => {
  try {
    return bytes === undefined ? undefined : decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** The object of a text. One that readers disagree about is read as most do, and noted. */
const objectOf = (path: string, source: string | undefined, problems: Array<Problem>): JsonObject | undefined => {
  if (source === undefined) return undefined
  const read = parseStrict(source)
  if (read._tag === "Value") return isObject(read.value) ? read.value : undefined
  try {
    const value: unknown = JSON.parse(source.replace(/^\ufeff/, ""))
    if (!isObject(value)) return undefined
    const place = read.path === "" ? "it" : read.path
    problems.push({
      reason: "malformed",
      path,
      message: `not every reader reads ${path} alike: ${place} ${read.message}`
    })
    return value
  } catch {
    return undefined
  }
}

/** What a bundle is compared with. */
export interface BundleTrust {
  /** Whose signatures count. Without it the bundle is whole at best. */
  readonly policy?: TrustPolicy | undefined
  /** What the owner of the record knows of it, see `KnownRecord`. */
  readonly known?: KnownRecord | undefined
}

/** Verifies a bundle. Never rejects. */
export const verifyBundle = async (bundle: ProofBundle, { known, policy }: BundleTrust = {}): Promise<Verdict> => {
  const transactionId = text(bundle.manifest, "transaction_id")
  const found = findings()
  found.problems.push(...(bundle.problems ?? []))
  checkDigest(bundle, found)
  checkHashes(bundle, found)
  await checkLedgerSignature(bundle, policy?.ledgerKeys ?? [], found)
  const stored = storedFields(member(bundle.manifest, "record"))
  const verdicts = [conclude("The bundle", found)]
  verdicts.push(verifyPayload({ payload: bundle.payload, hashes: hashesOf(bundle), stored, known, transactionId }))
  const read = bundle.payload === undefined ? undefined : readEvidence(bundle.payload.context ?? {})
  if (read?._tag === "Evidence" && (read.evidence.signature !== undefined || policy?.requireSignature === true)) {
    verdicts.push(await verifySignature(read.evidence, policy ?? { keys: [], ledgerKeys: [], requireSignature: false }))
  } else if (policy?.requireSignature === true && read?._tag !== "Evidence") {
    const unsigned = findings()
    unsigned.missing.push("the context, which has the signature of the producer")
    verdicts.push(conclude("The signature", unsigned))
  }
  return combine(`Bundle of ${transactionId ?? "no record"}`, verdicts)
}

/** The hashes that a bundle names, where they have the form of hashes. */
const hashesOf = ({ manifest }: ProofBundle): KnownRecord => {
  const hashes = member(manifest, "hashes")
  const of = (name: string): string | undefined => {
    const hash = member(hashes, name)
    return isPrefixedHash(hash) ? hash : undefined
  }
  return { inputHash: of("input_hash"), outputHash: of("output_hash"), contextHash: of("context_hash") ?? null }
}

const checkDigest = ({ decision, manifest, proof }: ProofBundle, found: Findings): void => {
  if (proof.hash === sha256Hex(decision)) found.proven.push("decision.json has the hash of the proof")
  else
    found.problems.push({ reason: "differs", path: "decision.json", message: "it does not have the hash of the proof" })
  if (text(member(manifest, "record"), "transaction_id") !== text(manifest, "transaction_id")) {
    found.problems.push({ reason: "malformed", path: "record.transaction_id", message: "it is about two records" })
  }
}

const checkHashes = (bundle: ProofBundle, found: Findings): void => {
  const { contextHash, inputHash, outputHash } = hashesOf(bundle)
  const hashes = member(bundle.manifest, "hashes")
  const named = member(hashes, "record_hash")
  const previous = member(hashes, "previous_hash") ?? null
  const isComplete = inputHash !== undefined && outputHash !== undefined && contextHash !== undefined
  if (!isComplete || !isHash(named) || !(previous === null || isHash(previous))) {
    found.problems.push({ reason: "malformed", path: "hashes", message: "its hashes are missing or no hashes" })
    return
  }
  if (recordHash({ previousHash: previous, inputHash, outputHash, contextHash }) !== named) {
    found.problems.push({ reason: "record hash", path: "hashes.record_hash", message: "it is not made of its parts" })
  } else found.proven.push("the record hash is made of its parts")
  for (const [name, value] of [
    ["record_hash", named],
    ["previous_hash", previous]
  ] as const) {
    if ((member(bundle.proof, name) ?? null) === value) continue
    found.problems.push({ reason: "differs", path: `proof.${name}`, message: `${name} is another one in the proof` })
  }
}

const rsa = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }

/** The signature covers the 32 bytes of the digest of `decision.json`. */
const isSignedBy = async (pem: string, signature: string, digest: Uint8Array<ArrayBuffer>): Promise<boolean> => {
  const der = fromPem(pem)
  const bytes = fromBase64(signature)
  if (der === undefined || bytes === undefined) return false
  const key = await crypto.subtle.importKey("spki", der, rsa, false, ["verify"])
  return crypto.subtle.verify(rsa, key, bytes, digest)
}

const bytesOf = (hex: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: hex.length / 2 }, (_, index) => Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16))

const checkLedgerSignature = async (
  { decision, proof }: ProofBundle,
  ledgerKeys: ReadonlyArray<string>,
  found: Findings
): Promise<void> => {
  if (ledgerKeys.length === 0) {
    found.missing.push("a public key of the ledger that you trust (the one inside the bundle proves nothing)")
    return
  }
  const signature = text(proof, "signature") ?? ""
  const digest = bytesOf(sha256Hex(decision))
  for (const pem of ledgerKeys) {
    if (await isSignedBy(pem, signature, digest).catch(() => false)) {
      found.proven.push("signed by a key of the ledger that you trust")
      return
    }
  }
  found.problems.push({
    reason: "signature",
    path: "proof.signature",
    message: "it is not the signature of a ledger key that you trust"
  })
}
