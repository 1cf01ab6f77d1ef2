/**
 * Proof bundles of any decision, made as the embedded ledger makes them.
 */

import { Result } from "effect"
import { unzipSync } from "fflate"
import type { Decision } from "../../src/decision/Decision.ts"
import { make as makeRecord } from "../../src/decision/DecisionRecord.ts"
import * as Producer from "../../src/decision/Sealer.ts"
import { hashObject, type JsonObject, recordHash } from "../../src/evidence/LedgerHash.ts"
import * as ProofBundle from "../../src/ledger-server/proofs/ProofBundle.ts"
import * as SigningKey from "../../src/ledger-server/proofs/SigningKey.ts"
import { parseTrustPolicy, type TrustPolicy } from "../../src/verify.ts"

const ledgerKey = SigningKey.make(undefined)

/** Trusts the ledger that signs these bundles. */
export const trust = (): TrustPolicy => {
  const { policy, problems } = parseTrustPolicy({ version: 1, keys: [], ledgerKeys: [ledgerKey.publicKey().pem] })
  if (policy === undefined) throw new Error(problems.join("; "))
  return policy
}

export const transactionId = `txn_${"0a".repeat(16)}`

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null)
const numberOrNull = (value: unknown): number | null => (typeof value === "number" ? value : null)

/** The files of the bundle of a decision, by name. */
export const bundleFiles = (decision: Decision): { readonly [name: string]: Uint8Array } => {
  const circumstances = { now: 1_000, span: undefined, idempotencyKey: undefined, timeout: undefined }
  const encoding = {
    runtimeContext: {},
    redactions: {},
    redact: undefined,
    maxRecordBytes: 1_000_000,
    evidenceBytes: 0
  }
  const record = Result.getOrThrow(makeRecord(decision, circumstances, encoding))
  record.sequence = 1
  Producer.make(Producer.fresh()).seal(record, 1)
  const body: JsonObject & { input: JsonObject; output: JsonObject; context: JsonObject } = JSON.parse(record.body)
  const hashes = {
    previousHash: "ab".repeat(32),
    inputHash: hashObject(body.input),
    outputHash: hashObject(body.output),
    contextHash: hashObject(body.context)
  }
  const contents = {
    record: {
      sequence: 1,
      tenantId: "t",
      position: 2,
      transactionId,
      timestamp: 1_000,
      policyId: textOrNull(body.policyId),
      policyVersion: textOrNull(body.policyVersion),
      decisionType: textOrNull(body.decisionType),
      confidence: numberOrNull(body.confidence),
      processingTime: numberOrNull(body.processingTime),
      ...hashes,
      recordHash: recordHash(hashes),
      inputPayload: JSON.stringify(body.input),
      outputPayload: JSON.stringify(body.output),
      contextPayload: JSON.stringify(body.context),
      seal: new Uint8Array()
    },
    tenantName: "Main",
    includePayloads: true,
    now: 2_000
  }
  return unzipSync(ProofBundle.toZip(ProofBundle.make(contents, ledgerKey)))
}
