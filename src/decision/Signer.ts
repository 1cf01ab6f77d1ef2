/**
 * The customer's own key over what its systems decided: signs commitments with Ed25519.
 *
 * The private key is a PEM that WebCrypto holds, not extractable, or stays where it is (a KMS, an HSM) behind a function.
 * What is signed is the DSSE encoding of the commitment, see `verify/Signature`.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { CommitmentSignature } from "../evidence/Commitment.ts"
import { fromPem, preAuthenticationEncoding, toBase64 } from "../evidence/Dsse.ts"
import { ConfigurationError, SigningFailed } from "../XaseError.ts"

/** A key that signs; `keyId` is how a trust policy names its public half. */
export type SignerOptions<Pem = string | Redacted.Redacted<string>> = { readonly keyId: string } & (
  | {
      /** PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519` writes it. */
      readonly privateKeyPem: Pem
    }
  | {
      /** Answers the 64 bytes of an Ed25519 signature over the bytes it is given. */
      readonly sign: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>
    }
)

/** Signs the canonical text of commitments. */
export interface Signer {
  readonly keyId: string
  readonly sign: (commitment: string) => Effect.Effect<CommitmentSignature, SigningFailed>
}

const ed25519 = { name: "Ed25519" }
const signatureBytes = 64

const wrong = (problem: string): ConfigurationError =>
  new ConfigurationError({
    setting: "signer",
    problem,
    fix: "Give a keyId and either an Ed25519 private key in PEM (openssl genpkey -algorithm ed25519) or a sign function."
  })

const signFunction = (
  options: SignerOptions
): ((bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>) | undefined => {
  if ("sign" in options) return async (bytes) => options.sign(bytes)
  const { privateKeyPem } = options
  const der = fromPem(Redacted.isRedacted(privateKeyPem) ? Redacted.value(privateKeyPem) : privateKeyPem)
  if (der === undefined) return undefined
  let key: Promise<CryptoKey> | undefined
  return async (bytes) => {
    key ??= crypto.subtle.importKey("pkcs8", der, ed25519, false, ["sign"])
    return new Uint8Array(await crypto.subtle.sign(ed25519, await key, bytes))
  }
}

const problemOf = (options: SignerOptions): string | undefined => {
  if (typeof options !== "object" || options === null) return "is not an object"
  if (typeof options.keyId !== "string" || !/^[\x21-\x7e]{1,128}$/.test(options.keyId)) {
    return "has no keyId of 1 to 128 printable characters"
  }
  if ("sign" in options) return typeof options.sign === "function" ? undefined : "has a sign that is no function"
  const { privateKeyPem } = options
  const pem = Redacted.isRedacted(privateKeyPem) ? Redacted.value(privateKeyPem) : privateKeyPem
  return typeof pem === "string" && pem.includes("BEGIN PRIVATE KEY")
    ? undefined
    : "has no private key in PEM (PKCS #8)"
}

/** A signer of these options that answers within `timeout`. No part of the key is in any error. */
export const make = (options: SignerOptions, timeout: Duration.Duration): Effect.Effect<Signer, ConfigurationError> => {
  const problem = problemOf(options)
  if (problem !== undefined) return Effect.fail(wrong(problem))
  const { keyId } = options
  const sign = signFunction(options)
  if (sign === undefined) return Effect.fail(wrong("has a private key that is not base64 inside"))
  return Effect.succeed({
    keyId,
    sign: (commitment) =>
      Effect.tryPromise({
        try: () => sign(preAuthenticationEncoding(commitment)),
        // What a key store throws may quote its request or its credentials.
        catch: (cause) => new SigningFailed({ keyId, reason: cause instanceof Error ? cause.name : typeof cause })
      }).pipe(
        Effect.timeoutOrElse({
          duration: timeout,
          orElse: () => Effect.fail(new SigningFailed({ keyId, reason: "no answer in time" }))
        }),
        Effect.flatMap((signature) =>
          signature instanceof Uint8Array && signature.length === signatureBytes
            ? Effect.succeed({ keyId, signature: toBase64(signature) })
            : Effect.fail(
                new SigningFailed({ keyId, reason: "the answer is not the 64 bytes of an Ed25519 signature" })
              )
        )
      )
  })
}
