/**
 * Verifies one record: what the ledger says of it, against everything that is known from elsewhere.
 *
 * Nothing that the ledger says is believed: its `record_hash` is computed again from hashes that the client made itself,
 * and the record before must really have the hash that this one follows. The ledger's own verdict counts only against it.
 */
import * as Commitment from "./Commitment.ts"
import { checkDecisionHash, hashOfCommitment, type Payload, readEvidence } from "./CommitmentCheck.ts"
import { checkFields, type StoredFields } from "./FieldCheck.ts"
import { isHash, isObject, member, text } from "./Json.ts"
import { hashObject, recordHash } from "./LedgerHash.ts"
import { conclude, type Findings, findings, type Verdict } from "./Verdict.ts"

/** A receipt as the ledger writes it. */
export interface ReceiptFacts {
  readonly transaction_id: string
  readonly record_hash: string
  readonly timestamp?: string | undefined
}

/**
 * What the owner of a record knows of it without the ledger: from a journal, or from the decision that it still holds.
 * Hashes are the ledger's, with their `sha256:` prefix.
 */
export interface KnownRecord {
  readonly inputHash?: string | undefined
  readonly outputHash?: string | undefined
  /** `null` when the record was sent without a context. */
  readonly contextHash?: string | null | undefined
  /** The fields that were sent beside input, output and context. */
  readonly decision?: Partial<Commitment.CommittedDecision> | undefined
  /** The hash of the record's commitment. */
  readonly commitmentHash?: string | undefined
  readonly receipt?: ReceiptFacts | undefined
  /** Whether the ledger answered with the receipt of an earlier record under the same key, whose content is not known. */
  readonly replayed?: boolean | undefined
}

/**
 * The record that should be before this one, looked up in the ledger by its place: its hash, `none` if this record is the
 * first, `undefined` if nobody looked.
 */
export type Predecessor = { readonly recordHash: string } | "none" | undefined

/** Everything that is known of a record. */
export interface RecordSources {
  /** The ledger's answer to `GET /verify/{transactionId}`, as parsed JSON. */
  readonly ledger?: unknown
  readonly predecessor?: Predecessor
  readonly known?: KnownRecord | undefined
  readonly receipt?: ReceiptFacts | undefined
  readonly payload?: Payload | undefined
}

/** What the ledger says of a record. */
interface Claim {
  readonly transactionId: string
  readonly recordHash: string
  readonly previousHash: string | null
  readonly timestamp: string | undefined
  readonly stored: StoredFields
  readonly isValid: boolean
  readonly failedChecks: ReadonlyArray<string>
}

const textOrNull = (value: unknown): string | null | undefined =>
  typeof value === "string" || value === null ? value : undefined

/** A field of a record that the ledger shows; one that is absent or of another type was removed or changed. */
const shownText = (record: unknown, name: string): string | null => {
  const value = member(record, name) ?? null
  return value === null || typeof value === "string" ? value : JSON.stringify(value)
}
const shownNumber = (record: unknown, name: string): number | null => {
  const value = member(record, name) ?? null
  return value === null || typeof value === "number" ? value : Number.NaN
}

/** The fields of a record under their wire names (`policy_id`). */
export const storedFields = (metadata: unknown): StoredFields => ({
  policyId: shownText(metadata, "policy_id"),
  policyVersion: shownText(metadata, "policy_version"),
  decisionType: shownText(metadata, "decision_type"),
  confidence: shownNumber(metadata, "confidence"),
  processingTime: shownNumber(metadata, "processing_time")
})

/** Reads the ledger's answer; `undefined` if it is not one. */
export const readClaim = (answer: unknown): Claim | undefined => {
  const transactionId = text(answer, "transaction_id")
  const chain = member(answer, "chain")
  const hash = text(chain, "record_hash")
  const previousHash = textOrNull(member(chain, "previous_hash"))
  const isValid = member(answer, "is_valid")
  if (transactionId === undefined || hash === undefined || previousHash === undefined) return undefined
  if (typeof isValid !== "boolean") return undefined
  const metadata = member(answer, "metadata")
  const checks = member(answer, "verification")
  return {
    transactionId,
    recordHash: hash,
    previousHash,
    timestamp: text(metadata, "timestamp"),
    stored: storedFields(metadata),
    isValid,
    failedChecks: isObject(checks)
      ? Object.keys(checks).filter((name) => name !== "payload_available" && checks[name] === false)
      : []
  }
}

const checkReceipt = (claim: Claim, receipt: ReceiptFacts, found: Findings): void => {
  const transactionId = claim.transactionId
  if (receipt.transaction_id !== transactionId) {
    found.problems.push({
      reason: "replayed",
      transactionId,
      path: "transaction_id",
      message: `the receipt is that of ${receipt.transaction_id}`
    })
    return
  }
  const differing = (path: string, now: string, then: string): void => {
    found.problems.push({
      reason: "differs",
      transactionId,
      path,
      message: `${path} is ${now} in the ledger, but its receipt said ${then}`
    })
  }
  const before = found.problems.length
  if (receipt.record_hash !== claim.recordHash) differing("record_hash", claim.recordHash, receipt.record_hash)
  if (receipt.timestamp !== undefined && claim.timestamp !== undefined && receipt.timestamp !== claim.timestamp) {
    differing("timestamp", claim.timestamp, receipt.timestamp)
  }
  if (found.problems.length === before) found.proven.push("the ledger still says what its receipt said")
}

/** Holds a payload against hashes and fields from elsewhere, and gives what is known with it. */
const checkPayload = (payload: Payload, known: KnownRecord | undefined, found: Findings): KnownRecord => {
  const hashes: KnownRecord = {
    inputHash: hashObject(payload.input),
    outputHash: hashObject(payload.output),
    contextHash: payload.context === undefined ? null : hashObject(payload.context)
  }
  for (const part of ["input", "output", "context"] as const) {
    const expected = known?.[`${part}Hash`]
    if (expected !== undefined && expected !== hashes[`${part}Hash`]) {
      found.problems.push({ reason: "differs", path: part, message: `the ${part} is not the one that was recorded` })
    }
  }
  const read = readEvidence(payload.context ?? {})
  switch (read._tag) {
    case "Evidence":
      checkDecisionHash(payload, read.evidence, found)
      if (known?.commitmentHash !== undefined && known.commitmentHash !== hashOfCommitment(read.text)) {
        found.problems.push({
          reason: "commitment",
          path: `context.${Commitment.evidenceKey}.commitment`,
          message: "the commitment is not the one that was recorded"
        })
      }
      return { ...completed(known, hashes), decision: known?.decision ?? read.evidence.commitment.decision }
    case "Malformed":
      found.problems.push(read.problem)
      break
    case "Unknown":
      found.missing.push(read.missing)
  }
  return completed(known, hashes)
}

/** What is known, with the hashes of `others` where it has none. */
const completed = (known: KnownRecord | undefined, others: KnownRecord): KnownRecord => ({
  ...known,
  inputHash: known?.inputHash ?? others.inputHash,
  outputHash: known?.outputHash ?? others.outputHash,
  contextHash: known?.contextHash === undefined ? others.contextHash : known.contextHash
})

/** What a bundle says of a record beside its signature. */
export interface PayloadSources {
  readonly payload: Payload | undefined
  /** The hashes that the ledger names. */
  readonly hashes: KnownRecord
  readonly stored: StoredFields
  readonly known: KnownRecord | undefined
  readonly transactionId: string | undefined
}

/** Verifies hashes, fields and payload of a record against each other and against what its owner knows. */
export const verifyPayload = ({ hashes, known, payload, stored, transactionId }: PayloadSources): Verdict => {
  const found = findings()
  for (const part of ["inputHash", "outputHash", "contextHash"] as const) {
    if (known?.[part] === undefined || known[part] === hashes[part]) continue
    const path = part.slice(0, -"Hash".length)
    found.problems.push({ reason: "differs", transactionId, path, message: `the ${path} is not the one that was sent` })
  }
  const all = payload === undefined ? known : checkPayload(payload, completed(known, hashes), found)
  if (payload === undefined) found.missing.push("the payload, which the ledger does not keep or was not asked for")
  else if (found.problems.length === 0) found.proven.push("the payload has the hashes of the record")
  if (all?.decision === undefined) found.missing.push("policy, type and confidence as they were sent")
  else checkFields(stored, all.decision, transactionId, found)
  return conclude(`Record ${transactionId ?? ""}`, found)
}

const checkRecordHash = (claim: Claim, known: KnownRecord | undefined, found: Findings): void => {
  const { contextHash, inputHash, outputHash } = known ?? {}
  if (inputHash === undefined || outputHash === undefined || contextHash === undefined) {
    const parts = { input: inputHash, output: outputHash, context: contextHash }
    const lacking = Object.entries(parts).flatMap(([name, hash]) => (hash === undefined ? [name] : []))
    found.missing.push(`the hash of ${lacking.join(", ")} as it was sent (a journal or the stored payload has it)`)
    return
  }
  if (recordHash({ previousHash: claim.previousHash, inputHash, outputHash, contextHash }) === claim.recordHash) {
    found.proven.push("the record hash, computed here, is made of what was sent")
    return
  }
  if (known?.replayed === true) {
    found.missing.push("what was sent first under this idempotency key: the ledger answered with an earlier record")
    return
  }
  found.problems.push({
    reason: "record hash",
    transactionId: claim.transactionId,
    path: "record_hash",
    message: "the record hash is not made of the input, output and context that were sent"
  })
}

const checkPredecessor = (claim: Claim, predecessor: Predecessor, found: Findings): void => {
  const { previousHash, transactionId } = claim
  if (predecessor === undefined) {
    found.missing.push("the record before it")
  } else if (predecessor === "none" ? previousHash === null : predecessor.recordHash === previousHash) {
    found.proven.push(
      previousHash === null ? "it is the first of its chain" : "the record before it has the hash it follows"
    )
  } else {
    found.problems.push({
      reason: "predecessor",
      transactionId,
      path: "chain.previous_hash",
      message:
        predecessor === "none"
          ? `it follows ${previousHash}, but no record is before it`
          : `it follows ${previousHash ?? "nothing"}, but the record before it has the hash ${predecessor.recordHash}`
    })
  }
}

/** Verifies one record, see the module. Sources that are not there are named in `missing`. */
export const verifyRecord = (sources: RecordSources): Verdict => {
  const found = findings()
  const known = sources.payload === undefined ? sources.known : checkPayload(sources.payload, sources.known, found)
  const claim = readClaim(sources.ledger)
  if (claim === undefined) {
    if (sources.ledger === undefined) found.missing.push("the ledger's answer")
    else found.problems.push({ reason: "malformed", path: "", message: "the ledger's answer is not one" })
    return conclude("The record", found)
  }
  if (!isHash(claim.recordHash)) {
    found.problems.push({ reason: "malformed", path: "record_hash", message: "the record hash is no SHA-256" })
  }
  for (const receipt of [sources.receipt, known?.receipt]) {
    if (receipt !== undefined) checkReceipt(claim, receipt, found)
  }
  checkRecordHash(claim, known, found)
  if (known?.decision === undefined) found.missing.push("policy, type and confidence as they were sent")
  else if (known.replayed !== true) checkFields(claim.stored, known.decision, claim.transactionId, found)
  checkPredecessor(claim, sources.predecessor, found)
  // Last, because it names less than what is computed here.
  if (!claim.isValid) {
    found.problems.push({
      reason: "ledger's verdict",
      transactionId: claim.transactionId,
      path: claim.failedChecks.join(", "),
      message: `the ledger itself says that it was tampered with (${claim.failedChecks.join(", ") || "no check named"})`
    })
  }
  return conclude(`Record ${claim.transactionId}`, found)
}

/** A receipt without the ledger's help: is it made of this decision, behind this predecessor? */
export const verifyReceipt = (
  receipt: ReceiptFacts,
  known: KnownRecord,
  previousHash: string | null | undefined
): Verdict => {
  const found = findings()
  const { contextHash, inputHash, outputHash } = known
  if (!isHash(receipt.record_hash)) {
    found.problems.push({ reason: "malformed", path: "record_hash", message: "the record hash is no SHA-256" })
  } else if (known.receipt !== undefined && known.receipt.transaction_id !== receipt.transaction_id) {
    found.problems.push({
      reason: "replayed",
      transactionId: receipt.transaction_id,
      path: "transaction_id",
      message: `the receipt for this decision is ${known.receipt.transaction_id}`
    })
  } else if (inputHash === undefined || outputHash === undefined || contextHash === undefined) {
    found.missing.push("the hashes of input, output and context as they were sent")
  } else if (previousHash === undefined) {
    found.missing.push("the hash of the record before it, which a receipt does not have")
  } else if (recordHash({ previousHash, inputHash, outputHash, contextHash }) === receipt.record_hash) {
    found.proven.push("the receipt is made of this decision")
  } else {
    found.problems.push({
      reason: "record hash",
      transactionId: receipt.transaction_id,
      path: "record_hash",
      message: "the receipt is not made of this decision behind that predecessor"
    })
  }
  return conclude(`Receipt ${receipt.transaction_id}`, found)
}
