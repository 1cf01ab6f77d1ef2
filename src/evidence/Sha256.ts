/**
 * SHA-256 of text, synchronously, on every runtime.
 *
 * Node, Bun and Deno hand out their native digest through `process.getBuiltinModule`; elsewhere (browsers) the audited
 * pure TypeScript implementation of `@noble/hashes` answers. Nothing is looked up before the first call.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"

type HexDigest = (text: string) => string

const portable: HexDigest = (text) => bytesToHex(sha256(utf8ToBytes(text)))

const resolve = (): HexDigest => {
  const native = globalThis.process?.getBuiltinModule?.("node:crypto")?.hash
  return native === undefined ? portable : (text) => native("sha256", text, "hex")
}

let digest: HexDigest | undefined

/**
 * The SHA-256 digest of the UTF-8 bytes of `text`, as 64 lowercase hexadecimal digits.
 *
 * **Example**
 *
 * ```ts
 * sha256Hex("abc") // => "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
 * ```
 */
export const sha256Hex: HexDigest = (text) => {
  digest ??= resolve()
  return digest(text)
}
