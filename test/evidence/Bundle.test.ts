import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { strToU8, zipSync } from "fflate"
import { readBundle, type Verdict, verifyBundle } from "../../src/verify.ts"
import { decision, int, seeded, withPlainKeys } from "../support/arbitraries.ts"
import { bundleFiles, transactionId, trust } from "../support/bundles.ts"

const policy = trust()

const verdictOf = async (files: { readonly [name: string]: Uint8Array }): Promise<Verdict["verdict"]> => {
  const { bundle } = readBundle(zipSync({ ...files }, { level: 0 }))
  return bundle === undefined ? "invalid" : (await verifyBundle(bundle, { policy })).verdict
}

const evidential = ["decision.json", "payloads/input.json", "payloads/output.json", "payloads/context.json"]

const decoder = new TextDecoder()

/** Whether two JSON texts say the very same: then nothing was changed. */
const saysTheSame = (one: Uint8Array, other: Uint8Array): boolean => {
  try {
    return JSON.stringify(JSON.parse(decoder.decode(one))) === JSON.stringify(JSON.parse(decoder.decode(other)))
  } catch {
    return false
  }
}

const places = Arbitrary.array(Arbitrary.all({ file: int(0, 3), at: int(0, 1_000_000), bit: int(0, 7) }), {
  minLength: 20,
  maxLength: 20
})

describe("a bundle", () => {
  it.effect.prop(
    "of any decision is valid, and with any byte of its evidence changed it is invalid",
    { decision, places },
    ({ decision, places }) =>
      Effect.promise(async () => {
        const files = bundleFiles(withPlainKeys(decision))
        assert.strictEqual(await verdictOf(files), "valid")
        for (const { at, bit, file } of places) {
          const name = evidential[file] ?? ""
          const before = files[name] ?? new Uint8Array()
          const after = before.slice()
          const place = at % before.length
          after[place] = (before[place] ?? 0) ^ (1 << bit)
          if (name !== "decision.json" && saysTheSame(before, after)) continue
          assert.strictEqual(await verdictOf({ ...files, [name]: after }), "invalid", `${name} ${place} ${bit}`)
        }
      }),
    seeded(60)
  )

  const files = bundleFiles({ policy: "p", input: { a: 1 }, output: {}, confidence: 0.5 })
  const manifest = JSON.parse(decoder.decode(files["decision.json"]))
  const proof = JSON.parse(decoder.decode(files["proof.json"]))

  it.each([
    ["signature", "AAAA"],
    ["signature", "%%%"],
    ["signature", undefined],
    ["hash", "0".repeat(64)],
    ["record_hash", "0".repeat(64)],
    ["previous_hash", null]
  ])("with another %s in its proof (%s) is invalid", async (name, value) => {
    const changed = { ...files, "proof.json": strToU8(JSON.stringify({ ...proof, [name]: value })) }
    assert.strictEqual(await verdictOf(changed), "invalid")
  })

  it("believes no key that is inside", async () => {
    const { bundle } = readBundle(zipSync({ ...files }))
    if (bundle === undefined) return assert.fail()
    const alone = await verifyBundle(bundle)
    assert.strictEqual(alone.verdict, "indeterminate")
    assert.include(alone.missing.join(), "a public key of the ledger that you trust")
    const unreadable = await verifyBundle(bundle, { policy: { ...policy, ledgerKeys: ["no key"] } })
    assert.strictEqual(unreadable.verdict, "invalid")
  })

  it("that needs a signature of its producer and has none is told apart from one without a payload", async () => {
    const { bundle } = readBundle(zipSync({ ...files }))
    if (bundle === undefined) return assert.fail()
    const strict = { ...policy, requireSignature: true }
    assert.strictEqual((await verifyBundle(bundle, { policy: strict })).problems[0]?.path, "signature")
    const { payload: _, ...bare } = bundle
    const without = await verifyBundle(bare, { policy: strict })
    assert.strictEqual(without.verdict, "indeterminate")
    assert.include(without.missing.join(), "the context, which has the signature")
  })

  it("is held against what its owner knows", async () => {
    const { bundle } = readBundle(zipSync({ ...files }))
    if (bundle === undefined) return assert.fail()
    const { context_hash, input_hash, output_hash } = manifest.hashes
    const known = { inputHash: input_hash, outputHash: output_hash, contextHash: context_hash }
    assert.strictEqual((await verifyBundle(bundle, { policy, known })).verdict, "valid")
    for (const part of ["input", "output", "context"]) {
      const other = { ...known, [`${part}Hash`]: `sha256:${"0".repeat(64)}` }
      const { problems, verdict } = await verifyBundle(bundle, { policy, known: other })
      assert.strictEqual(verdict, "invalid")
      assert.isTrue(problems.some(({ path, reason }) => path === part && reason === "differs"))
    }
    const renamed = { ...known, commitmentHash: "0".repeat(64) }
    assert.strictEqual((await verifyBundle(bundle, { policy, known: renamed })).problems[0]?.reason, "commitment")
    const { problems } = await verifyBundle(bundle, { policy, known: { ...known, decision: { policyId: "other" } } })
    assert.deepInclude(
      problems.map(({ path, transactionId }) => ({ path, transactionId })),
      { path: "policyId", transactionId }
    )
  })

  it("about two records is malformed", async () => {
    const two = { ...manifest, record: { ...manifest.record, transaction_id: "txn_other" } }
    const { bundle } = readBundle(zipSync({ ...files, "decision.json": strToU8(JSON.stringify(two)) }))
    if (bundle === undefined) return assert.fail()
    const { problems } = await verifyBundle(bundle, { policy })
    assert.include(
      problems.map(({ path }) => path),
      "record.transaction_id"
    )
  })

  it("whose hashes are no hashes is malformed", async () => {
    for (const name of ["input_hash", "output_hash", "record_hash", "previous_hash"]) {
      const hashes = { ...manifest.hashes, [name]: "sha256:abc" }
      const changed = strToU8(JSON.stringify({ ...manifest, hashes }))
      const { bundle } = readBundle(zipSync({ ...files, "decision.json": changed }))
      if (bundle === undefined) return assert.fail()
      const { problems } = await verifyBundle(bundle, { policy })
      assert.include(
        problems.map(({ path }) => path),
        "hashes",
        name
      )
    }
  })
})

describe("reading a bundle", () => {
  const files = bundleFiles({ policy: "p", input: {}, output: {} })
  const { "decision.json": decisionJson = new Uint8Array(), "proof.json": proofJson = new Uint8Array() } = files

  it.each([
    ["no ZIP", strToU8("hello"), ""],
    ["nothing", new Uint8Array(), ""],
    ["an empty ZIP", zipSync({}), "decision.json"],
    ["no proof", zipSync({ "decision.json": decisionJson }), "proof.json"],
    ["a decision that is no object", zipSync({ ...files, "decision.json": strToU8("[]") }), "decision.json"],
    ["a proof that is no JSON", zipSync({ ...files, "proof.json": strToU8("{") }), "proof.json"],
    [
      "half a payload",
      zipSync({ "decision.json": decisionJson, "proof.json": proofJson, "payloads/input.json": strToU8("{}") }),
      "payloads"
    ],
    ["a payload that is no object", zipSync({ ...files, "payloads/input.json": strToU8("1") }), "payloads"],
    ["text that is no UTF-8", zipSync({ ...files, "decision.json": Uint8Array.of(0xff) }), "decision.json"],
    [
      "a member that is no part of it",
      zipSync({ ...files, "payloads/extra.json": strToU8("{}") }),
      "payloads/extra.json"
    ]
  ])("refuses %s, and says where", (_, zip, path) => {
    const { bundle, problem } = readBundle(zip)
    assert.isUndefined(bundle)
    assert.strictEqual(problem?.reason, "malformed")
    assert.strictEqual(problem?.path, path)
  })

  it.each([
    ["a name that stands twice", "payloads/input.json", '{"a":1,"a":1}'],
    ["a number beyond all readers", "payloads/output.json", '{"a":1e999}'],
    ["half a character", "payloads/input.json", '{"a":"\\ud800"}'],
    ["a byte order mark", "payloads/input.json", "\ufeff{}"]
  ])("with %s is read, and invalid for it", async (_, name, text) => {
    const { bundle } = readBundle(zipSync({ ...files, [name]: strToU8(text) }))
    if (bundle === undefined) return assert.fail("not read")
    const { problems, verdict } = await verifyBundle(bundle)
    assert.strictEqual(verdict, "invalid")
    assert.isTrue(problems.some(({ path, reason }) => path === name && reason === "malformed"))
  })

  it("refuses what would grow beyond bounds before anything grows", () => {
    const bomb = zipSync({ "decision.json": new Uint8Array(65 * 1024 * 1024), "proof.json": proofJson })
    assert.include(readBundle(bomb).problem?.message, "bytes, more than")
  })

  it.effect.prop(
    "of any bytes, or of a ZIP with any byte changed, ends without throwing and never in a valid verdict unless nothing changed",
    { bytes: Arbitrary.schema(Schema.Uint8Array), at: int(0, 1_000_000), value: int(1, 255) },
    ({ at, bytes, value }) =>
      Effect.promise(async () => {
        assert.isUndefined(readBundle(bytes).bundle)
        const zip = zipSync({ ...files }, { level: 0 })
        const place = at % zip.length
        zip[place] = (zip[place] ?? 0) ^ value
        const { bundle } = readBundle(zip)
        // Bytes that carry no evidence (times, file names that are not read) may change.
        if (bundle !== undefined) assert.isString((await verifyBundle(bundle, { policy })).verdict)
      }),
    seeded(300)
  )
})
