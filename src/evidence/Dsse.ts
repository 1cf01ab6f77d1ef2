/**
 * The customer's signature over a commitment: Ed25519 in a DSSE envelope.
 *
 * What is signed is DSSE's pre-authentication encoding (https://github.com/secure-systems-lab/dsse, protocol v1) of the
 * canonical text of the commitment. The record carries key id and signature beside the commitment; {@link toEnvelope} makes
 * the standard envelope of the two for other tools. The primitives are those of WebCrypto.
 */
import type { CommittedDecision, Evidence } from "./Commitment.ts"
import { canonical } from "./Json.ts"
import type { TrustedKey, TrustPolicy } from "./TrustPolicy.ts"
import { conclude, findings, type Problem, type Verdict } from "./Verdict.ts"

/** The type of what is signed. */
export const payloadType = "application/vnd.xase.commitment.v1+json"

/** A DSSE envelope, as JSON has it. */
export interface Envelope {
  readonly payloadType: string
  /** Base64 of the canonical commitment. */
  readonly payload: string
  readonly signatures: ReadonlyArray<{ readonly keyid: string; readonly sig: string }>
}

/** The bytes that are signed: `DSSEv1 <type length> <type> <payload length> <payload>`. */
export const preAuthenticationEncoding = (payload: string): Uint8Array<ArrayBuffer> => {
  const encoder = new TextEncoder()
  const body = encoder.encode(payload)
  return encoder.encode(`DSSEv1 ${payloadType.length} ${payloadType} ${body.length} ${payload}`)
}

/** Base64 of bytes. */
export const toBase64 = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))

/** The bytes of base64 text, `undefined` where it is none. */
export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> | undefined => {
  try {
    const binary = atob(text)
    // `atob` takes white space and missing padding, which other readers refuse.
    return btoa(binary) === text ? Uint8Array.from(binary, (character) => character.charCodeAt(0)) : undefined
  } catch {
    return undefined
  }
}

/** The DER bytes inside a PEM. */
export const fromPem = (pem: string): Uint8Array<ArrayBuffer> | undefined =>
  fromBase64(pem.replace(/-----(BEGIN|END) [A-Z ]+-----|\s/g, ""))

/** The signed commitment of a record as a standard DSSE envelope; `undefined` if it is not signed. */
export const toEnvelope = ({ commitment, signature }: Evidence): Envelope | undefined => {
  const payload = canonical({ ...commitment })
  if (signature === undefined || payload === undefined) return undefined
  return {
    payloadType,
    payload: toBase64(new TextEncoder().encode(payload)),
    signatures: [{ keyid: signature.keyId, sig: signature.signature }]
  }
}

const problem = (path: string, message: string): Problem => ({ reason: "signature", path, message })

const validityProblem = ({ keyId, validFrom, validUntil }: TrustedKey, { recordedAt }: CommittedDecision) => {
  const isEarly = validFrom !== undefined && recordedAt < validFrom
  const isLate = validUntil !== undefined && recordedAt >= validUntil
  return isEarly || isLate
    ? problem("signature.keyId", `the key ${keyId} was not valid at ${new Date(recordedAt).toISOString()}`)
    : undefined
}

const isSignedBy = async (key: TrustedKey, signature: string, payload: string): Promise<boolean> => {
  const der = fromPem(key.publicKeyPem)
  const bytes = fromBase64(signature)
  if (der === undefined || bytes === undefined) return false
  const publicKey = await crypto.subtle.importKey("spki", der, { name: "Ed25519" }, false, ["verify"])
  return crypto.subtle.verify({ name: "Ed25519" }, publicKey, bytes, preAuthenticationEncoding(payload))
}

/** Verifies the signature of a record's evidence against a trust policy. Never rejects. */
export const verifySignature = async (evidence: Evidence, policy: TrustPolicy): Promise<Verdict> => {
  const found = findings()
  const { commitment, signature } = evidence
  const payload = canonical({ ...commitment })
  const key = policy.keys.find(({ keyId }) => keyId === signature?.keyId)
  if (signature === undefined) {
    if (policy.requireSignature) found.problems.push(problem("signature", "the commitment is not signed"))
    else found.missing.push("a signature of its producer")
  } else if (key === undefined) {
    found.missing.push(`the key ${signature.keyId} in the trust policy`)
  } else if (payload === undefined) {
    found.problems.push(problem("commitment", "the commitment has no canonical form"))
  } else {
    const invalid = validityProblem(key, commitment.decision)
    if (invalid !== undefined) found.problems.push(invalid)
    const isGood = await isSignedBy(key, signature.signature, payload).catch(() => undefined)
    if (isGood === undefined) found.missing.push(`Ed25519 in this runtime, or a key that is one (${key.keyId})`)
    else if (isGood) found.proven.push(`signed by ${key.keyId}`)
    else found.problems.push(problem("signature.signature", `the signature is not one of ${key.keyId}`))
  }
  return conclude("The signature", found)
}
