/**
 * Verifies the chain of a producer: its commitments, each of which names the one before.
 *
 * The ledger has no part in it. A commitment that is named and not there was made and is gone; a number that is left out
 * while the hashes go on was never sent (a full outbox, the end of the process).
 */
import { conclude, type Findings, findings, type Verdict } from "./Verdict.ts"

/** A commitment with its place; the decision behind it does not matter here. */
export interface ChainedCommitment {
  readonly producer: string
  readonly sequence: number
  /** The hash of the commitment, 64 hexadecimal digits. */
  readonly hash: string
  readonly previousHash: string | null
  /** The record that carries it. */
  readonly transactionId?: string | undefined
}

/** Where a producer's chain begins and ends, where that is known from elsewhere (a journal, an earlier report). */
export interface KnownEnds {
  /** The head that was seen before: it must still be there. */
  readonly head?: string | undefined
}

const place = ({ sequence, transactionId }: ChainedCommitment): string =>
  transactionId === undefined ? `number ${sequence}` : `number ${sequence} (${transactionId})`

/** Each commitment by its hash, and what follows each; two that claim one place are a fork. */
const indexed = (commitments: Iterable<ChainedCommitment>, found: Findings) => {
  const byHash = new Map<string, ChainedCommitment>()
  const followers = new Map<string | null, ChainedCommitment>()
  const bySequence = new Map<number, ChainedCommitment>()
  for (const commitment of commitments) {
    if (byHash.has(commitment.hash)) {
      found.problems.push({
        reason: "replayed",
        transactionId: commitment.transactionId,
        path: "commitment",
        message: `the commitment ${place(commitment)} stands in two records`
      })
      continue
    }
    const rival = followers.get(commitment.previousHash) ?? bySequence.get(commitment.sequence)
    if (rival !== undefined) {
      found.problems.push({
        reason: "fork",
        transactionId: commitment.transactionId,
        path: "commitment.previousHash",
        message: `${place(commitment)} and ${place(rival)} claim the same place`
      })
    }
    byHash.set(commitment.hash, commitment)
    followers.set(commitment.previousHash, commitment)
    bySequence.set(commitment.sequence, commitment)
  }
  return { byHash, followers, bySequence }
}

/** Verifies all commitments of one producer, in any order. */
export const verifyProducerChain = (
  producer: string,
  commitments: Iterable<ChainedCommitment>,
  known: KnownEnds = {}
): Verdict => {
  const found = findings()
  const { byHash, bySequence } = indexed(commitments, found)
  let isFromTheStart = false
  for (const commitment of byHash.values()) {
    if (commitment.producer !== producer) {
      found.problems.push({
        reason: "malformed",
        transactionId: commitment.transactionId,
        path: "commitment.producer",
        message: `${place(commitment)} is of another producer`
      })
    }
    if (commitment.previousHash === null) isFromTheStart = true
    else if (!byHash.has(commitment.previousHash)) {
      found.problems.push({
        reason: "gap",
        transactionId: commitment.transactionId,
        path: "commitment.previousHash",
        message: `${place(commitment)} follows a commitment that is not here: a record before it was removed, or the ledger never took it`
      })
    }
  }
  if (known.head !== undefined && !byHash.has(known.head)) {
    found.problems.push({
      reason: "rolled back",
      path: "commitment",
      message: `the last commitment that was seen (${known.head}) is not here`
    })
  }
  if (byHash.size > 0 && isFromTheStart && found.problems.length === 0) {
    const numbers = [...bySequence.keys()]
    const last = Math.max(
      ...numbers.slice(0, 1),
      numbers.reduce((a, b) => Math.max(a, b), 0)
    )
    const unsent = last - bySequence.size
    found.proven.push(
      unsent === 0
        ? `the ${byHash.size} commitments of the producer are one chain from its first on`
        : `the ${byHash.size} commitments of the producer are one chain; ${unsent} decisions between them were accepted and never sent`
    )
  }
  if (byHash.size === 0) found.missing.push("a commitment of the producer")
  return conclude(`The chain of producer ${producer}`, found)
}
