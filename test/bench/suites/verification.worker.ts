/**
 * How fast evidence is verified: records by their hashes, the chain of a ledger, that of a producer, proof bundles.
 */
import { zipSync } from "fflate"
import { LedgerWalk, readBundle, verifyBundle, verifyProducerChain, verifyRecord } from "xase-sdk/verify"
import { hashObject, recordHash } from "../../../src/evidence/LedgerHash.ts"
import { sha256Hex } from "../../../src/evidence/Sha256.ts"
import { bundleFiles, trust } from "../../support/bundles.ts"
import { decision } from "../decision.ts"
import type { Round } from "../harness/Samples.ts"

const perSecond = (count: number, started: number): Round => ({
  perSecond: count / ((performance.now() - started) / 1_000)
})

const hashes = { inputHash: hashObject({ a: 1 }), outputHash: hashObject({ b: 2 }), contextHash: hashObject({ c: 3 }) }

const chain = (count: number) => {
  const records = []
  let previousHash: string | null = null
  for (let n = 0; n < count; n++) {
    const hash: string = recordHash({ previousHash, ...hashes })
    records.push({ transactionId: `txn_${n}`, recordHash: hash, previousHash })
    previousHash = hash
  }
  return records
}

/** Each record's hash from its parts, its fields, its predecessor. */
const records = (count: number): Round => {
  const made = chain(count)
  const metadata = { policy_id: "p", policy_version: null, decision_type: null, confidence: 0.5, processing_time: null }
  const started = performance.now()
  for (const { previousHash, recordHash: own, transactionId } of made) {
    const { verdict } = verifyRecord({
      ledger: {
        transaction_id: transactionId,
        is_valid: true,
        verification: {},
        metadata,
        chain: { previous_hash: previousHash, record_hash: own }
      },
      predecessor: previousHash === null ? "none" : { recordHash: previousHash },
      known: { ...hashes, decision: { policyId: "p", confidence: 0.5 } }
    })
    if (verdict !== "valid") throw new Error(`${transactionId} is ${verdict}`)
  }
  return perSecond(count, started)
}

/** The links of a ledger, newest record first. */
const walk = (count: number): Round => {
  const made = chain(count).reverse()
  const index = LedgerWalk.memoryIndex()
  const started = performance.now()
  const state = made.reduce((before, record) => LedgerWalk.step(before, record, index), LedgerWalk.start)
  if (LedgerWalk.finish(state, index).length > 0) throw new Error("the chain is broken")
  return perSecond(count, started)
}

const producer = (count: number): Round => {
  const hashOf = (n: number): string | null => (n < 0 ? null : sha256Hex(String(n)))
  const made = Array.from({ length: count }, (_, n) => ({
    producer: "p",
    sequence: n + 1,
    hash: hashOf(n) ?? "",
    previousHash: hashOf(n - 1)
  }))
  const started = performance.now()
  if (verifyProducerChain("p", made).verdict !== "valid") throw new Error("the chain is broken")
  return perSecond(count, started)
}

/** From the bytes of a ZIP to the verdict: payload, commitment, fields, the ledger's RSA signature. */
const bundles = async (count: number): Promise<Round> => {
  const zip = zipSync({ ...bundleFiles(decision(1)) })
  const policy = trust()
  const started = performance.now()
  for (let n = 0; n < count; n++) {
    const { bundle } = readBundle(zip)
    if (bundle === undefined || (await verifyBundle(bundle, { policy })).verdict !== "valid") {
      throw new Error("the bundle is not valid")
    }
  }
  return perSecond(count, started)
}

/** What is measured, by name. */
export const measure = async (what: string, count: number): Promise<Round> => {
  const kinds: Readonly<Record<string, (count: number) => Round | Promise<Round>>> = {
    records,
    walk,
    producer,
    bundles
  }
  const run = kinds[what]
  if (run === undefined) throw new Error(`there is no ${what}`)
  await run(Math.ceil(count / 10))
  return run(count)
}
