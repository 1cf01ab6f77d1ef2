/**
 * Makes `evidence-vectors.json`: real bundles, commitments, signatures and reports, whole and broken, with what a verifier must
 * say of each. Both verifiers, ours and the independent one in `examples/auditor`, are held against it.
 *
 * `node --conditions=xase-source test/vectors/make-evidence-vectors.ts`: every run makes other keys and ids.
 */
import { createHash, generateKeyPairSync, sign } from "node:crypto"
import { writeFileSync } from "node:fs"
import { unzipSync, zipSync } from "fflate"
import { startLedger } from "xase-sdk/ledger-server"
import { type RecordPayload, XaseClient } from "xase-sdk/promise"
import { readBundle } from "xase-sdk/verify"

const pem = (key: { export: (options: { type: "spki"; format: "pem" }) => string | Buffer }): string =>
  key.export({ type: "spki", format: "pem" }).toString()

const customer = generateKeyPairSync("ed25519")
const stranger = generateKeyPairSync("ed25519")
const otherLedger = generateKeyPairSync("rsa", { modulusLength: 2048 })

const decisions: ReadonlyArray<RecordPayload> = [
  { policy: "credit_policy_v4", input: { score: 720 }, output: { approved: true }, confidence: 0.94 },
  {
    policy: "credit_policy_v4",
    policyVersion: "4.1",
    decisionType: "UNDERWRITING",
    input: { "10": "ten", "9": [1.5, -0, 1e21, 1e-7, 5e-324], ключ: "значение", "\u{1f600}": "\u{fb33}", z: { b: 1, a: { "2": 0, "1": 0 } } },
    output: { "": null, text: '"\\\b\f\n\r\t\u0001\u007f\u2028é' },
    confidence: 1,
    processingTime: 12.6,
    modelId: "gbm",
    modelVersion: "7",
    modelHash: "sha256:abc",
    explanation: { weights: [0.1, 0.2] },
    context: { zebra: 1, xase_evidenced: "a name beside the SDK's own", "1": true }
  },
  { policy: "fraud_v2", input: {}, output: {} },
  { policy: "fraud_v2", input: { deep: [[[{ a: [] }]]] }, output: { score: 0.1 + 0.2 }, confidence: 0 }
]

await using ledger = await startLedger({ rateLimit: "unlimited" })
const zips: Array<Uint8Array> = []
{
  await using client = new XaseClient({
    apiKey: ledger.apiKey,
    baseUrl: ledger.baseUrl,
    exitHandlers: false,
    signer: { keyId: "customer-2026", privateKeyPem: customer.privateKey.export({ type: "pkcs8", format: "pem" }).toString() }
  })
  for (const decision of decisions) {
    const { transaction_id } = await client.record({ ...decision, storePayload: true }, { skipQueue: true })
    const answer = await fetch(`${ledger.baseUrl}/export/${transaction_id}/download`, { headers: { "x-api-key": ledger.apiKey } })
    zips.push(new Uint8Array(await answer.arrayBuffer()))
  }
}
const published: { readonly keys: ReadonlyArray<{ readonly public_key_pem: string }> } = JSON.parse(
  await (await fetch(`${ledger.baseUrl}/public-keys`)).text()
)
const ledgerKeys = published.keys.map(({ public_key_pem }) => public_key_pem)

const first = zips[1] ?? new Uint8Array()
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A bundle with one of its files changed. */
const changed = (file: string, change: (text: string) => string): Uint8Array => {
  const files = unzipSync(first)
  const before = decoder.decode(files[file])
  const after = change(before)
  if (before === after) throw new Error(`${file} was not changed`)
  return zipSync({ ...files, [file]: encoder.encode(after) })
}

/** What a ledger could do that lies: another manifest, hashed and signed anew with its own key. */
const resigned = (change: (text: string) => string, key = otherLedger.privateKey): Uint8Array => {
  const files = unzipSync(first)
  const decision = change(decoder.decode(files["decision.json"]))
  const digest = createHash("sha256").update(decision).digest()
  const proof = {
    ...JSON.parse(decoder.decode(files["proof.json"])),
    hash: digest.toString("hex"),
    signature: sign("sha256", digest, key).toString("base64")
  }
  return zipSync({ ...files, "decision.json": encoder.encode(decision), "proof.json": encoder.encode(JSON.stringify(proof)) })
}

const trust = (over: object = {}) => ({
  version: 1,
  requireSignature: true,
  keys: [{ keyId: "customer-2026", publicKeyPem: pem(customer.publicKey) }],
  ledgerKeys,
  ...over
})

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")
const flipLast = (text: string): string => `${text.slice(0, -3)}${text.at(-3) === "0" ? "1" : "0"}${text.slice(-2)}`
const otherLedgerPem = pem(otherLedger.publicKey)
const key = (over: object) => ({ keyId: "customer-2026", publicKeyPem: pem(customer.publicKey), ...over })

const bundles = [
  ...zips.map((zip, index) => ({ name: `whole ${index}`, zip, trust: trust(), verdict: "valid", path: undefined })),
  { name: "no key of the ledger", zip: first, trust: trust({ ledgerKeys: [] }), verdict: "indeterminate" },
  { name: "another ledger's key", zip: first, trust: trust({ ledgerKeys: [otherLedgerPem] }), verdict: "invalid", path: "proof.signature" },
  { name: "unknown customer key", zip: first, trust: trust({ keys: [] }), verdict: "indeterminate" },
  {
    name: "a stranger's key under the customer's name",
    zip: first,
    trust: trust({ keys: [key({ publicKeyPem: pem(stranger.publicKey) })] }),
    verdict: "invalid",
    path: "signature.signature"
  },
  {
    name: "a key that was not valid yet",
    zip: first,
    trust: trust({ keys: [key({ validFrom: "2999-01-01T00:00:00Z" })] }),
    verdict: "invalid",
    path: "signature.keyId"
  },
  {
    name: "a key that had expired",
    zip: first,
    trust: trust({ keys: [key({ validUntil: "2001-01-01T00:00:00Z" })] }),
    verdict: "invalid",
    path: "signature.keyId"
  },
  {
    name: "confidence edited in the manifest",
    zip: changed("decision.json", (text) => text.replace('"confidence":1', '"confidence":0.9')),
    trust: trust(),
    verdict: "invalid",
    path: "confidence"
  },
  {
    name: "confidence edited by a ledger that lies and signs anew",
    zip: resigned((text) => text.replace('"confidence":1', '"confidence":0.9')),
    trust: trust({ ledgerKeys: [otherLedgerPem] }),
    verdict: "invalid",
    path: "confidence"
  },
  {
    name: "policy edited by a ledger that lies and signs anew",
    zip: resigned((text) => text.replace('"policy_id":"credit_policy_v4"', '"policy_id":"credit_policy_v5"')),
    trust: trust({ ledgerKeys: [otherLedgerPem] }),
    verdict: "invalid",
    path: "policyId"
  },
  {
    name: "another record hash",
    zip: resigned((text) => text.replace(/"record_hash":"(.)/, (_, digit) => `"record_hash":"${digit === "0" ? "1" : "0"}`)),
    trust: trust({ ledgerKeys: [otherLedgerPem] }),
    verdict: "invalid",
    path: "hashes.record_hash"
  },
  {
    name: "input edited",
    zip: changed("payloads/input.json", (text) => text.replace("ten", "Ten")),
    trust: trust(),
    verdict: "invalid",
    path: "input"
  },
  {
    name: "a byte of the output edited",
    zip: changed("payloads/output.json", (text) => text.replace("text", "texT")),
    trust: trust(),
    verdict: "invalid",
    path: "output"
  },
  {
    name: "the sequence number edited",
    zip: changed("payloads/context.json", (text) => text.replace('"sequence":2', '"sequence":3')),
    trust: trust(),
    verdict: "invalid",
    path: "context"
  },
  {
    name: "a later version of the commitment",
    zip: changed("payloads/context.json", (text) => text.replace(/"sequence":2,"version":1/, '"sequence":2,"version":2')),
    trust: trust(),
    verdict: "invalid",
    path: "context"
  },
  {
    name: "the proof's hash edited",
    zip: changed("proof.json", (text) => text.replace(/"hash": ?"[0-9a-f]{64}"/, flipLast)),
    trust: trust(),
    verdict: "invalid",
    path: "decision.json"
  },
  {
    name: "the payload left out",
    zip: zipSync(Object.fromEntries(Object.entries(unzipSync(first)).filter(([name]) => !name.startsWith("payloads/")))),
    trust: trust(),
    verdict: "indeterminate"
  }
]

/** The hashes of a bundle as a report lists them. */
const reported = (zip: Uint8Array) => {
  const { bundle } = readBundle(zip)
  const manifest: {
    readonly transaction_id: string
    readonly hashes: { readonly [name: string]: string | undefined }
  } = JSON.parse(bundle?.decision ?? "{}")
  const { context_hash, input_hash, output_hash, previous_hash, record_hash } = manifest.hashes
  return [manifest.transaction_id, previous_hash ?? null, input_hash, output_hash, context_hash ?? null, record_hash]
}

const records = zips.map(reported).reverse()
const report = (over: object = {}) => ({
  format: "xase-audit-report",
  version: 1,
  createdAt: "2026-11-23T00:00:00.000Z",
  ledger: "http://127.0.0.1/api/xase/v1",
  verdict: "valid",
  sentence: "All 4 records are proven.",
  counts: { records: records.length, valid: records.length, invalid: 0, indeterminate: 0 },
  head: { transactionId: records[0]?.[0], recordHash: records[0]?.[5] },
  problems: [],
  missing: [],
  producers: [],
  records,
  ...over
})

const reports = [
  { name: "whole", report: report(), verdict: "valid" },
  { name: "a record left out", report: report({ records: records.toSpliced(1, 1) }), verdict: "invalid", path: "chain.previous_hash" },
  { name: "two records swapped", report: report({ records: [records[0], records[2], records[1], records[3]] }), verdict: "invalid", path: "chain.previous_hash" },
  { name: "the newest record left out", report: report({ records: records.slice(1) }), verdict: "invalid", path: "head" },
  { name: "the oldest record left out", report: report({ records: records.slice(0, -1) }), verdict: "invalid", path: "chain.previous_hash" },
  {
    name: "another input",
    report: report({ records: records.map((record, index) => (index === 2 ? record.with(2, record[3] ?? null) : record)) }),
    verdict: "invalid",
    path: "record_hash"
  },
  {
    name: "unknown parts",
    report: report({ records: records.map((record) => record.with(2, null)) }),
    verdict: "indeterminate"
  },
  { name: "a later version", report: report({ version: 2 }), verdict: "indeterminate" },
  { name: "no report", report: { format: "something else" }, verdict: "invalid", path: "format" },
  { name: "malformed records", report: report({ records: [["txn"]] }), verdict: "invalid", path: "records" }
]

writeFileSync(
  new URL("evidence-vectors.json", import.meta.url),
  `${JSON.stringify(
    {
      about:
        "Evidence made by the SDK and the embedded ledger, whole and broken. bundle: a ZIP in base64, verified with the trust policy; report: an audit report. verdict is what a verifier must say, path the place of one of its problems.",
      bundles: bundles.map(({ zip, ...rest }) => ({ ...rest, zip: base64(zip) })),
      reports
    },
    null,
    1
  )}\n`
)
