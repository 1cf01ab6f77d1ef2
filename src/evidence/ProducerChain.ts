/**
 * Verifies the chain of a producer: its commitments, each of which names the one before.
 *
 * The ledger has no part in it. A commitment that is named and not there was made and is gone; a number that is left out
 * while the hashes go on was never sent (a full outbox, the end of the process).
 */
import { conclude, type Findings, findings, type Problem, type Verdict } from "./Verdict.ts"

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

/** What is known of a producer's chain from elsewhere. */
export interface KnownOfChain {
  /** The head that was seen before (by a journal, in an earlier report): it must still be there. */
  readonly head?: string | undefined
  /**
   * Whether there are records whose commitments cannot be seen, because the ledger keeps no payload of them. A commitment
   * that is not here may then stand in one of those, and is missing instead of gone.
   */
  readonly hasUnseen?: boolean | undefined
}

const place = ({ sequence, transactionId }: ChainedCommitment): string =>
  transactionId === undefined ? `number ${sequence}` : `number ${sequence} (${transactionId})`

/** More problems than this are not listed: the first ones say enough. */
const maxProblems = 10_000

const listed = <K>(map: Map<K, Array<ChainedCommitment>>, key: K, commitment: ChainedCommitment): void => {
  const list = map.get(key)
  if (list === undefined) map.set(key, [commitment])
  else list.push(commitment)
}

/** All commitments by their hash, by the hash they follow and by their number. */
const indexOf = (commitments: Iterable<ChainedCommitment>) => {
  const byHash = new Map<string, Array<ChainedCommitment>>()
  const byPrevious = new Map<string | null, Array<ChainedCommitment>>()
  const byNumber = new Map<number, Array<ChainedCommitment>>()
  for (const commitment of commitments) {
    listed(byHash, commitment.hash, commitment)
    listed(byPrevious, commitment.previousHash, commitment)
    listed(byNumber, commitment.sequence, commitment)
  }
  return { byHash, byPrevious, byNumber }
}

/** Finds what is wrong with commitments that do not come as one line, whatever their order. */
const explain = (commitments: Iterable<ChainedCommitment>, hasUnseen: boolean, found: Findings): void => {
  const { byHash, byNumber, byPrevious } = indexOf(commitments)
  const differing = (list: ReadonlyArray<ChainedCommitment> | undefined, hash: string) =>
    list?.find((other) => other.hash !== hash)
  for (const commitment of commitments) {
    if (found.problems.length >= maxProblems) return
    const { hash, previousHash, sequence, transactionId } = commitment
    const problem = (reason: Problem["reason"], message: string): void => {
      found.problems.push({ transactionId, path: "commitment.previousHash", reason, message })
    }
    const copies = byHash.get(hash) ?? []
    if (copies.length > 1 && copies[0] !== commitment) {
      problem("replayed", `the commitment ${place(commitment)} stands in two records`)
      continue
    }
    const rival = differing(byPrevious.get(previousHash), hash)
    const namesake = differing(byNumber.get(sequence), hash)
    if (rival !== undefined) {
      problem("fork", `${place(commitment)} and ${place(rival)} follow the same commitment`)
    } else if (previousHash !== null && !byHash.has(previousHash)) gap(commitment, hasUnseen, found)
    else if (namesake !== undefined) problem("fork", `${place(commitment)} and ${place(namesake)} have the same number`)
  }
}

const gap = (commitment: ChainedCommitment, hasUnseen: boolean, found: Findings): void => {
  if (hasUnseen) found.missing.push("commitments of records whose payload the ledger does not keep")
  else
    found.problems.push({
      reason: "gap",
      transactionId: commitment.transactionId,
      path: "commitment.previousHash",
      message: `${place(commitment)} follows a commitment that is not here: a record before it was removed, or the ledger never took it`
    })
}

/**
 * Verifies all commitments of one producer. Any order will do; in the order of their chain, or against it, nothing is kept in
 * memory; else about 300 bytes for each. They are gone through twice, so hand over a collection and not an iterator.
 */
export const verifyProducerChain = (
  producer: string,
  commitments: Iterable<ChainedCommitment>,
  known: KnownOfChain = {}
): Verdict => {
  const found = findings()
  // In the order of the chain, or against it, each link can be seen from its neighbour.
  let isForward = true
  let isBackward = true
  let isNumbered = true
  let first: ChainedCommitment | undefined
  let last: ChainedCommitment | undefined
  let count = 0
  let highest = 0
  let isFromTheStart = false
  let hasHead = known.head === undefined
  for (const commitment of commitments) {
    count++
    highest = Math.max(highest, commitment.sequence)
    isFromTheStart ||= commitment.previousHash === null
    hasHead ||= commitment.hash === known.head
    if (commitment.producer !== producer) {
      found.problems.push({
        reason: "malformed",
        transactionId: commitment.transactionId,
        path: "commitment.producer",
        message: `${place(commitment)} is of another producer`
      })
    }
    if (last !== undefined) {
      isForward &&= commitment.previousHash === last.hash
      isBackward &&= last.previousHash === commitment.hash
      isNumbered &&= isForward ? commitment.sequence > last.sequence : commitment.sequence < last.sequence
    }
    first ??= commitment
    last = commitment
  }
  const oldest = isForward ? first : last
  if (!(isForward || isBackward) || !isNumbered) explain(commitments, known.hasUnseen === true, found)
  else if (oldest !== undefined && oldest.previousHash !== null) gap(oldest, known.hasUnseen === true, found)
  if (!hasHead) {
    found.problems.push({
      reason: "rolled back",
      path: "commitment",
      message: `the last commitment that was seen (${known.head}) is not here`
    })
  }
  if (count === 0) found.missing.push("a commitment of the producer")
  else if (!isFromTheStart) found.missing.push("the first commitment of the producer")
  else if (found.problems.length + found.missing.length === 0) {
    const unsent = highest - count
    found.proven.push(
      `the ${count} commitments of the producer are one chain from its first on${unsent === 0 ? "" : `; ${unsent} decisions between them were accepted and never sent`}`
    )
  }
  return conclude(`The chain of producer ${producer}`, found)
}
