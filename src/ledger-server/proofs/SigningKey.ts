/**
 * The key pair with which the ledger signs what it exports (RSA 2048, PKCS #1 v1.5 over SHA-256, as the public ledger).
 *
 * It is made with the first export and kept in the data folder, readable by its owner only; without a folder it lives as
 * long as the ledger. Whoever verifies an export must get the public key from somewhere that they trust: the copy inside
 * the bundle proves only that the bundle is whole.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"

/** The key with which the embedded ledger signs proof bundles. Its functions throw what the file system throws. */
export interface SigningKey {
  /** The signature over a digest, in base64. */
  readonly sign: (digest: Uint8Array) => string
  readonly publicKey: () => PublicKey
}

/** The public half, as it is told to the world. */
export interface PublicKey {
  readonly pem: string
  /** The SHA-256 of the key in DER, as 64 hexadecimal digits. */
  readonly fingerprint: string
}

/** The name of what the key does. */
export const algorithm = "RSA-SHA256"

const bits = 2048

/** The key of a file, made with first use; without a file, in memory. */
export const make = (path: string | undefined): SigningKey => {
  let key: KeyObject | undefined
  const privateKey = (): KeyObject => {
    key ??= path !== undefined && existsSync(path) ? createPrivateKey(readFileSync(path)) : generate(path)
    return key
  }
  return {
    sign: (digest) => sign("sha256", digest, privateKey()).toString("base64"),
    publicKey: () => {
      const publicKey = createPublicKey(privateKey())
      return {
        pem: publicKey.export({ type: "spki", format: "pem" }).toString(),
        fingerprint: createHash("sha256")
          .update(publicKey.export({ type: "spki", format: "der" }))
          .digest("hex")
      }
    }
  }
}

const generate = (path: string | undefined): KeyObject => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: bits })
  if (path !== undefined) {
    writeFileSync(path, privateKey.export({ type: "pkcs8", format: "pem" }), { flag: "wx", mode: 0o600 })
  }
  return privateKey
}
