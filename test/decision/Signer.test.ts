import { generateKeyPairSync } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import * as Signer from "../../src/decision/Signer.ts"
import type { Evidence } from "../../src/evidence/Commitment.ts"
import { startLedger } from "../../src/ledger-server/index.ts"
import { XaseClient, type XaseError } from "../../src/promise.ts"
import { type TrustPolicy, verifySignature } from "../../src/verify.ts"

const { privateKey, publicKey } = generateKeyPairSync("ed25519")
const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString()
const publicKeyPem = publicKey.export({ type: "spki", format: "pem" }).toString()

const evidence = (signature?: Evidence["signature"]): Evidence => ({
  commitment: {
    algorithm: "sha256",
    decision: { idempotencyKey: "k", policyId: "p", recordedAt: 1_000 },
    decisionHash: "00",
    previousHash: null,
    producer: "p",
    sequence: 1,
    version: 1
  },
  ...(signature === undefined ? {} : { signature })
})

const canonical =
  '{"algorithm":"sha256","decision":{"idempotencyKey":"k","policyId":"p","recordedAt":1000},"decisionHash":"00","previousHash":null,"producer":"p","sequence":1,"version":1}'

const trust = (over: Partial<TrustPolicy> = {}): TrustPolicy => ({
  keys: [{ keyId: "key-1", publicKeyPem }],
  ledgerKeys: [],
  requireSignature: true,
  ...over
})

const timeout = Duration.seconds(1)

describe("a signer", () => {
  it.live("from a PEM signs what a trust policy verifies", () =>
    Effect.gen(function* () {
      for (const pem of [privateKeyPem, Redacted.make(privateKeyPem)]) {
        const signer = yield* Signer.make({ keyId: "key-1", privateKeyPem: pem }, timeout)
        const signature = yield* signer.sign(canonical)
        const verdict = yield* Effect.promise(() => verifySignature(evidence(signature), trust()))
        assert.strictEqual(verdict.verdict, "valid", verdict.sentence)
      }
    })
  )

  it.live("may be a function, as a KMS has one", () =>
    Effect.gen(function* () {
      const { sign } = yield* Effect.promise(() => import("node:crypto"))
      const signer = yield* Signer.make(
        { keyId: "key-1", sign: async (bytes) => sign(null, bytes, privateKey) },
        timeout
      )
      const signature = yield* signer.sign(canonical)
      assert.strictEqual((yield* Effect.promise(() => verifySignature(evidence(signature), trust()))).verdict, "valid")
    })
  )

  it.live("whose function throws, or answers something else, fails by name alone", () =>
    Effect.gen(function* () {
      const throwing = yield* Signer.make(
        {
          keyId: "key-1",
          sign: () => {
            throw new TypeError("secret")
          }
        },
        timeout
      )
      const failure = yield* Effect.flip(throwing.sign(canonical))
      assert.strictEqual(failure._tag, "SigningFailed")
      assert.include(failure.message, "TypeError")
      assert.notInclude(failure.message, "secret")
      const short = yield* Signer.make({ keyId: "key-1", sign: () => new Uint8Array(3) }, timeout)
      assert.include((yield* Effect.flip(short.sign(canonical))).message, "64 bytes")
    })
  )

  it.effect("that does not answer fails in time", () =>
    Effect.gen(function* () {
      const silent = yield* Signer.make({ keyId: "key-1", sign: () => new Promise<never>(() => {}) }, timeout)
      const fiber = yield* Effect.forkChild(Effect.exit(silent.sign(canonical)))
      yield* TestClock.adjust(timeout)
      const exit = yield* Fiber.join(fiber)
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "no answer in time")
    })
  )

  it.each([
    ["an empty key id", { keyId: "", privateKeyPem }],
    ["a key id with a line break", { keyId: "a\nb", privateKeyPem }],
    ["no key", { keyId: "k" }],
    ["a public key", { keyId: "k", privateKeyPem: publicKeyPem }],
    ["no base64", { keyId: "k", privateKeyPem: "-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----" }],
    ["a sign that is no function", { keyId: "k", sign: 1 }],
    ["nothing", null]
  ])("with %s is refused, without quoting it", (_, options) => {
    const exit = Effect.runSyncExit(Signer.make(options as never, timeout))
    const message = Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""
    assert.include(message, "Setting signer")
    assert.notInclude(message, privateKeyPem.slice(30, 60))
  })
})

describe("a signature", () => {
  const signed = Effect.flatMap(Signer.make({ keyId: "key-1", privateKeyPem }, timeout), (signer) =>
    Effect.map(signer.sign(canonical), evidence)
  )

  it.live("of a later or an earlier time than the key's is invalid", () =>
    Effect.gen(function* () {
      const whole = yield* signed
      const verdictOf = (validFrom: number | undefined, validUntil: number | undefined) =>
        Effect.promise(() =>
          verifySignature(whole, trust({ keys: [{ keyId: "key-1", publicKeyPem, validFrom, validUntil }] }))
        )
      assert.strictEqual((yield* verdictOf(1_000, 1_001)).verdict, "valid")
      assert.strictEqual((yield* verdictOf(1_001, undefined)).verdict, "invalid")
      assert.strictEqual((yield* verdictOf(undefined, 1_000)).verdict, "invalid")
    })
  )

  it.live("over another commitment is invalid; an unknown key is missing; an unsigned commitment is told apart", () =>
    Effect.gen(function* () {
      const whole = yield* signed
      const other = { ...whole, commitment: { ...whole.commitment, sequence: 2 } }
      const verdictOf = (found: Evidence, policy: TrustPolicy) => Effect.promise(() => verifySignature(found, policy))
      assert.strictEqual((yield* verdictOf(other, trust())).problems[0]?.path, "signature.signature")
      assert.strictEqual((yield* verdictOf(whole, trust({ keys: [] }))).verdict, "indeterminate")
      assert.strictEqual((yield* verdictOf(evidence(), trust())).verdict, "invalid")
      assert.strictEqual((yield* verdictOf(evidence(), trust({ requireSignature: false }))).verdict, "indeterminate")
      const broken = { ...whole, signature: { keyId: "key-1", signature: "%%" } }
      assert.strictEqual((yield* verdictOf(broken, trust())).verdict, "invalid")
    })
  )
})

describe("a client with a signer that fails", () => {
  it("keeps queued records until the key store is back, and fails those that wait", async () => {
    await using ledger = await startLedger({ rateLimit: "unlimited" })
    const { sign } = await import("node:crypto")
    let isAway = true
    const lines: Array<string> = []
    const receipts: Array<string> = []
    await using client = new XaseClient({
      apiKey: ledger.apiKey,
      baseUrl: ledger.baseUrl,
      exitHandlers: false,
      logger: (line) => lines.push(line),
      onSuccess: ({ transaction_id }) => receipts.push(transaction_id),
      signer: {
        keyId: "kms",
        sign: (bytes) => {
          if (isAway) throw new Error("away")
          return sign(null, bytes, privateKey)
        }
      }
    })
    const decision = { policy: "p", input: {}, output: {} }
    await client.record(decision)
    const error = await client.record(decision, { skipQueue: true }).then(
      () => undefined,
      (thrown: XaseError) => thrown
    )
    assert.strictEqual(error?.code, "SIGNING_FAILED")
    assert.strictEqual(receipts.length, 0)
    isAway = false
    await client.flush(20_000)
    assert.strictEqual(receipts.length, 1)
    assert.isTrue(lines.some((line) => line.includes("kms")))
  })

  it("commitments off and a signer contradict each other", () => {
    const options = { apiKey: `xase_pk_${"a".repeat(24)}`, commitments: false, signer: { keyId: "k", privateKeyPem } }
    assert.throws(() => new XaseClient(options), /Setting signer is given, but commitments is false/)
  })
})
