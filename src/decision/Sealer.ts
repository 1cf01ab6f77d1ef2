/**
 * Seals records: the last step between a decision and what is sent, in the order of sending and once for each record.
 *
 * Sealing puts the commitment into the context and the body together. It happens in delivery and not in `record`, so the
 * hashes cost the application's call nothing. A record that is dropped before it is sent leaves a gap in the sequence but
 * none in the chain of hashes: an auditor can tell what a full outbox lost from what somebody removed.
 */
import * as Effect from "effect/Effect"
import * as Commitment from "../evidence/Commitment.ts"
import { sha256Hex } from "../evidence/Sha256.ts"
import type { SigningFailed } from "../XaseError.ts"
import * as Draft from "./BodyTemplate.ts"
import type { LedgerRecord } from "./DecisionRecord.ts"
import type { Signer } from "./Signer.ts"

/** Where a producer's chain stands. */
export interface ProducerState {
  readonly producer: string
  /** The sequence number of the last record that was accepted; 0 before the first. */
  readonly sequence: number
  /** The hash of the last commitment; `null` before the first. */
  readonly head: string | null
}

/** Gives each record its place in the producer's chain and completes its body. */
export interface Producer {
  /**
   * Completes the body at once and answers `undefined`, or, where a signature has to be waited for, answers the rest of the
   * work. Its place in the chain is fixed with the call; `sequence` is its number among the producer's own. A record that
   * is sealed already, having been stored that way, stays as it is.
   */
  readonly seal: (record: LedgerRecord, sequence: number) => Effect.Effect<void, SigningFailed> | undefined
}

/** What the evidence adds to a body at most, beside the committed decision. */
export const evidenceBytes = (signer: Signer | undefined): number => {
  const commitment = Commitment.write({
    input: "",
    output: "",
    context: "",
    decision: "",
    producer: "-".repeat(36),
    sequence: Number.MAX_SAFE_INTEGER,
    previousHash: "-".repeat(64)
  })
  const signature = signer === undefined ? undefined : { keyId: signer.keyId, signature: "-".repeat(88) }
  return Commitment.writeEvidence(commitment, signature).length + `"${Commitment.evidenceKey}":,`.length
}

/** A state that no record was made from yet. */
export const fresh = (): ProducerState => ({ producer: globalThis.crypto.randomUUID(), sequence: 0, head: null })

/** Writes no commitments. */
export const silent: Producer = {
  seal: (record) =>
    record.draft === undefined ? undefined : complete(record, Draft.bodyOf(Draft.read(record.draft), undefined))
}

/** Goes on from a state: the numbers, which count from 1 in each process, follow the state's. */
export const make = (state: ProducerState, signer?: Signer): Producer => {
  let head = state.head
  return {
    seal: (record, sequence) => {
      if (record.draft === undefined) return undefined
      const parts = Draft.read(record.draft)
      const commitment = Commitment.write({
        input: parts.input,
        output: parts.output,
        context: Draft.contextOf(parts),
        decision: Draft.committedText(parts.fields, record.idempotencyKey, parts.recordedAt),
        producer: state.producer,
        sequence: state.sequence + sequence,
        previousHash: head
      })
      head = sha256Hex(commitment)
      const finish = (signature?: Commitment.CommitmentSignature): undefined =>
        complete(record, Draft.bodyOf(parts, Commitment.writeEvidence(commitment, signature)))
      return signer === undefined ? finish() : Effect.map(signer.sign(commitment), finish)
    }
  }
}

const complete = (record: LedgerRecord, body: string): undefined => {
  record.body = body
  record.draft = undefined
}
