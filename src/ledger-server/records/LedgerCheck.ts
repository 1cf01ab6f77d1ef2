/**
 * What `GET /verify/{id}` says: is a stored record what was recorded?
 *
 * Reads as its sentence: hashes of the payloads, hash of the record, its place behind its predecessor, its seal.
 */

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Evidence from "../../evidence/LedgerHash.ts"
import { parseLeniently } from "../../evidence/StrictJson.ts"
import type { Settings } from "../LedgerSettings.ts"
import * as Chain from "./Chain.ts"
import { isObject } from "./RecordPayload.ts"
import { isoTime, type StoredRecord } from "./RecordRow.ts"
import type { ReadError, Store } from "./Store.ts"

/** Whether each thing that was looked at is what it should be. */
export interface Checks {
  readonly input_hash: boolean
  readonly output_hash: boolean
  readonly context_hash: boolean
  readonly chain_integrity: boolean
  readonly payload_available: boolean
  /** Policy, confidence, time and the like are what was recorded. The public ledger does not look. */
  readonly seal?: boolean
}

/** A record with what was found about it. */
export interface Verdict {
  readonly record: StoredRecord
  readonly checks: Checks
  readonly isValid: boolean
  readonly next: StoredRecord | undefined
}

type StoreService = Store["Service"]

/** A payload that was not kept cannot contradict its hash; whether it should be there is for the seal to say. */
const matches = (payload: string | null, hash: string | null): boolean => {
  if (payload === null) return true
  try {
    const parsed: unknown = parseLeniently(payload)
    return isObject(parsed) && Evidence.hashObject(parsed) === hash
  } catch {
    return false
  }
}

const isAvailable = (record: StoredRecord): boolean => record.inputPayload !== null && record.outputPayload !== null

/** The predecessor is the record that really lies before, and it really has that hash. */
const followsItsPredecessor = (store: StoreService, record: StoredRecord): Effect.Effect<boolean, ReadError> =>
  Effect.map(
    store.at(record.tenantId, record.position - 1),
    Option.match({
      onNone: () => record.previousHash === null && record.position === 1,
      onSome: (predecessor) => predecessor.recordHash === record.previousHash
    })
  )

const payloadChecks = (record: StoredRecord) => ({
  input_hash: matches(record.inputPayload, record.inputHash),
  output_hash: matches(record.outputPayload, record.outputHash),
  context_hash: matches(record.contextPayload, record.contextHash)
})

const verdict = (record: StoredRecord, checks: Checks, next: StoredRecord | undefined): Verdict => {
  const { payload_available: _, ...decisive } = checks
  return { record, checks, isValid: Object.values(decisive).every((check) => check), next }
}

/** Verifies a record, its predecessor and its seal. */
const verifyThoroughly = Effect.fnUntraced(function* (store: StoreService, record: StoredRecord) {
  const follows = yield* followsItsPredecessor(store, record)
  const next = yield* store.at(record.tenantId, record.position + 1)
  const checks: Checks = {
    ...payloadChecks(record),
    chain_integrity: Chain.isIntact(record) && follows,
    payload_available: isAvailable(record),
    seal: store.seals.holds(record)
  }
  return verdict(record, checks, Option.getOrUndefined(next))
})

/** As the public ledger does: its own hashes, nothing around them. */
const verifyPublic = Effect.fnUntraced(function* (store: StoreService, record: StoredRecord) {
  const next = yield* store.successor(record)
  const checks: Checks = {
    ...payloadChecks(record),
    chain_integrity: Chain.isIntact(record),
    payload_available: isAvailable(record)
  }
  return verdict(record, checks, Option.getOrUndefined(next))
})

/** Verifies a record as this kind of ledger does. */
export const verify = (
  { compat }: Settings,
  store: StoreService,
  record: StoredRecord
): Effect.Effect<Verdict, ReadError> =>
  compat === "public" ? verifyPublic(store, record) : verifyThoroughly(store, record)

/** The verdict as the ledger writes it. */
export const toJson = ({ checks, isValid, next, record }: Verdict, tenantName: string, now: number) => ({
  transaction_id: record.transactionId,
  is_valid: isValid,
  status: isValid ? "VERIFIED" : "TAMPERED",
  verification: checks,
  metadata: {
    timestamp: isoTime(record.timestamp),
    policy_id: record.policyId,
    policy_version: record.policyVersion,
    decision_type: record.decisionType,
    confidence: record.confidence,
    processing_time: record.processingTime
  },
  chain: {
    previous_hash: record.previousHash,
    record_hash: record.recordHash,
    is_genesis: record.previousHash === null,
    has_next: next !== undefined,
    ...(next === undefined ? {} : { next_transaction_id: next.transactionId })
  },
  tenant: { name: tenantName },
  checkpoint: null,
  verified_at: isoTime(now)
})
