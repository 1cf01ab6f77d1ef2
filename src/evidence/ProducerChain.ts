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

/** More broken links than this are not looked at: the first ones say enough. */
const maxExceptions = 10_000

/** What is needed to tell broken links apart: what follows the same commitment, what stands there twice, what is there. */
const lookUp = (commitments: Iterable<ChainedCommitment>, exceptions: ReadonlyArray<ChainedCommitment>) => {
  const followers = new Map<string | null, Array<ChainedCommitment>>()
  const copies = new Map<string, number>()
  const wanted = new Set<string | null>()
  const there = new Set<string>()
  for (const { hash, previousHash } of exceptions) {
    followers.set(previousHash, [])
    copies.set(hash, 0)
    wanted.add(previousHash)
  }
  for (const commitment of commitments) {
    followers.get(commitment.previousHash)?.push(commitment)
    const count = copies.get(commitment.hash)
    if (count !== undefined) copies.set(commitment.hash, count + 1)
    if (wanted.has(commitment.hash)) there.add(commitment.hash)
  }
  return { followers, copies, there }
}

const explain = (
  commitments: Iterable<ChainedCommitment>,
  exceptions: ReadonlyArray<ChainedCommitment>,
  hasUnseen: boolean,
  found: Findings
): void => {
  const { copies, followers, there } = lookUp(commitments, exceptions)
  for (const commitment of exceptions) {
    const { hash, previousHash, transactionId } = commitment
    const about = { transactionId, path: "commitment.previousHash" }
    const rival = followers.get(previousHash)?.find((other) => other.hash !== hash)
    if ((copies.get(hash) ?? 0) > 1) {
      found.problems.push({
        ...about,
        reason: "replayed",
        message: `the commitment ${place(commitment)} stands in two records`
      })
    } else if (rival !== undefined) {
      found.problems.push({
        ...about,
        reason: "fork",
        message: `${place(commitment)} and ${place(rival)} follow the same commitment`
      })
    } else if (previousHash !== null && !there.has(previousHash) && hasUnseen) {
      found.missing.push("commitments of records whose payload the ledger does not keep")
    } else if (previousHash !== null && !there.has(previousHash)) {
      found.problems.push({
        ...about,
        reason: "gap",
        message: `${place(commitment)} follows a commitment that is not here: a record before it was removed, or the ledger never took it`
      })
    }
  }
}

/**
 * Verifies all commitments of one producer. Any order will do; in the order of their chain, or against it, nothing is kept in
 * memory. They are gone through twice, so hand over a collection and not an iterator.
 */
export const verifyProducerChain = (
  producer: string,
  commitments: Iterable<ChainedCommitment>,
  known: KnownOfChain = {}
): Verdict => {
  const found = findings()
  const exceptions: Array<ChainedCommitment> = []
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
    const isAfter = commitment.previousHash === last?.hash
    if (!isAfter) {
      // Against the order of the chain it is the one before that has to be followed from here.
      const isBefore = last?.previousHash === commitment.hash
      if (isBefore && exceptions.at(-1) === last) exceptions.pop()
      if (exceptions.length < maxExceptions) exceptions.push(commitment)
    }
    last = commitment
  }
  explain(commitments, exceptions, known.hasUnseen === true, found)
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
