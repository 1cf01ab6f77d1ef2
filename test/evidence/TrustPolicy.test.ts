import { assert, describe, it } from "@effect/vitest"
import { parseTrustPolicy } from "../../src/verify.ts"

const pem = "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n"
const key = { keyId: "k", publicKeyPem: pem }

const noTime = "must be a time in ISO 8601 with its offset, such as 2026-11-25T00:00:00Z"
const withKey = (members: object) => ({ version: 1, keys: [{ ...key, ...members }] })

describe("a trust policy", () => {
  it("has keys with their times, and what is left out is open", () => {
    assert.deepStrictEqual(parseTrustPolicy({ version: 1, keys: [key] }), {
      policy: {
        keys: [{ ...key, validFrom: undefined, validUntil: undefined }],
        ledgerKeys: [],
        requireSignature: false
      }
    })
    const times = { validFrom: "1970-01-01T00:00:01Z", validUntil: "1970-01-01T00:00:02Z" }
    const { policy } = parseTrustPolicy({
      version: 1,
      requireSignature: true,
      keys: [{ ...key, ...times }],
      ledgerKeys: [pem]
    })
    assert.deepStrictEqual(policy?.keys, [{ ...key, validFrom: 1_000, validUntil: 2_000 }])
    assert.deepStrictEqual(policy?.ledgerKeys, [pem])
    assert.isTrue(policy?.requireSignature)
  })

  it.each([
    ["text", "no", ["the trust policy must be a JSON object"]],
    ["an array", [], ["the trust policy must be a JSON object"]],
    ["nothing", {}, ["version: must be 1", "keys: must be an array"]],
    ["another version", { version: 2, keys: [] }, ["version: must be 1"]],
    ["an unknown member", { version: 1, keys: [], trust: 1 }, ["trust: is not known"]],
    [
      "a word for a boolean",
      { version: 1, keys: [], requireSignature: "yes" },
      ["requireSignature: must be true or false"]
    ],
    ["a key without id", { version: 1, keys: [{ publicKeyPem: pem }] }, ["keys.0.keyId: must be text"]],
    ["a key without PEM", { version: 1, keys: [{ keyId: "k" }] }, ["keys.0.publicKeyPem: must be a public key in PEM"]],
    [
      "a private key",
      { version: 1, keys: [{ keyId: "k", publicKeyPem: pem.replaceAll("PUBLIC", "PRIVATE") }] },
      ["keys.0.publicKeyPem: must be a public key in PEM"]
    ],
    [
      "times that are none",
      { version: 1, keys: [{ ...key, validFrom: "soon", validUntil: 5 }] },
      [`keys.0.validFrom: ${noTime}`, `keys.0.validUntil: ${noTime}`]
    ],
    ["a time without offset", withKey({ validUntil: "2026-01-01T00:00:00" }), [`keys.0.validUntil: ${noTime}`]],
    ["a date alone", withKey({ validUntil: "2026-01-01" }), [`keys.0.validUntil: ${noTime}`]],
    ["a day that no month has", withKey({ validUntil: "2026-02-30T00:00:00Z" }), [`keys.0.validUntil: ${noTime}`]],
    [
      "validity that ends before it begins",
      withKey({ validFrom: "2027-01-01T00:00:00Z", validUntil: "2026-12-31T23:00:00-01:00" }),
      ["keys.0.validUntil: must be later than validFrom"]
    ],
    [
      "a misspelt end of validity",
      withKey({ validTo: "2020-01-01T00:00:00Z" }),
      ["keys.0.validTo: is not known, use one of keyId, publicKeyPem, validFrom, validUntil"]
    ],
    ["one id twice", { version: 1, keys: [key, key] }, ["keys: two have the same keyId"]],
    [
      "ledger keys that are none",
      { version: 1, keys: [], ledgerKeys: [pem, "x"] },
      ["ledgerKeys: must be an array of public keys in PEM"]
    ],
    [
      "ledger keys that are no list",
      { version: 1, keys: [], ledgerKeys: pem },
      ["ledgerKeys: must be an array of public keys in PEM"]
    ]
  ])("with %s is refused with every problem and its path", (_, value, problems) => {
    assert.deepStrictEqual(parseTrustPolicy(value), { problems })
  })
})
