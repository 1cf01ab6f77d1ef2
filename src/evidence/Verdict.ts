/**
 * What a verification says: valid, invalid with reasons, or indeterminate with what is missing.
 *
 * A verdict is never a bare yes: it lists what was proven, every problem with its reason and path, and what would have to
 * be known to say more. What this version cannot read (a later format, a key nobody gave) is missing, never "tampered".
 */

/**
 * Why evidence is not valid.
 *
 * - `differs`: a field is not what was recorded; `path` names it.
 * - `record hash`: the record's hash is not made of its parts.
 * - `commitment`: the commitment does not fit the decision that it stands in.
 * - `predecessor`: the record follows a hash that no record has: something before it was removed or rewritten.
 * - `order`: the record is not in its place.
 * - `fork`: two records, or two commitments, follow the same one.
 * - `gap`: a number in a producer's sequence is not there although its neighbours are linked through it.
 * - `removed`: a record that has a receipt is not in the ledger.
 * - `rolled back`: the ledger no longer has the head that was seen before.
 * - `replayed`: the receipt is that of another record.
 * - `ledger's verdict`: the ledger itself says that the record was tampered with.
 * - `audit`: the audit of a report found the ledger invalid.
 * - `signature`: a signature is missing, wrong, or of a key that was not valid then.
 * - `malformed`: the evidence cannot be what it says it is.
 */
export type Reason =
  | "differs"
  | "record hash"
  | "commitment"
  | "predecessor"
  | "order"
  | "fork"
  | "gap"
  | "removed"
  | "rolled back"
  | "replayed"
  | "ledger's verdict"
  | "audit"
  | "signature"
  | "malformed"

/** One thing that is wrong. */
export interface Problem {
  readonly reason: Reason
  /** The record it is about, where it is about one. */
  readonly transactionId?: string | undefined
  /** The field, in the ledger's or the commitment's own words: `confidence`, `input`, `chain.previous_hash`; may be empty. */
  readonly path: string
  /** A sentence. */
  readonly message: string
}

/** The result of a verification: valid, invalid with every problem, or indeterminate with what is missing. */
export interface Verdict {
  readonly verdict: "valid" | "invalid" | "indeterminate"
  /** The verdict as one sentence for people. */
  readonly sentence: string
  /** What was proven, one phrase each. */
  readonly proven: ReadonlyArray<string>
  readonly problems: ReadonlyArray<Problem>
  /** What would have to be known to prove the rest, one phrase each. */
  readonly missing: ReadonlyArray<string>
}

/** Collects what checks find out. */
export interface Findings {
  readonly proven: Array<string>
  readonly problems: Array<Problem>
  readonly missing: Array<string>
}

/** Nothing is known yet. */
export const findings = (): Findings => ({ proven: [], problems: [], missing: [] })

const sentenceOf = (subject: string, { missing, problems, proven }: Findings): string => {
  const [first] = problems
  if (first !== undefined) {
    const more = problems.length === 1 ? "" : ` (and ${problems.length - 1} more)`
    return `${subject} is invalid: ${first.message}${more}`
  }
  if (missing.length > 0) return `${subject} cannot be proven: ${missing.join("; ")} missing`
  return proven.length === 0 ? `${subject}: there was nothing to check` : `${subject} is valid: ${proven.join("; ")}`
}

/** The verdict over everything that was found. Where nothing was proven, nothing is valid. */
export const conclude = (subject: string, found: Findings): Verdict => {
  const { missing, problems, proven } = found
  const isOpen = missing.length > 0 || proven.length === 0
  return {
    verdict: problems.length > 0 ? "invalid" : isOpen ? "indeterminate" : "valid",
    sentence: sentenceOf(subject, found),
    proven: [...new Set(proven)],
    problems: [...problems],
    missing: [...new Set(missing)]
  }
}

const isSame = (one: Problem, other: Problem): boolean =>
  one.reason === other.reason &&
  one.path === other.path &&
  one.message === other.message &&
  one.transactionId === other.transactionId

/** Takes the findings of several verdicts together; what two of them found is said once. */
export const combine = (subject: string, verdicts: ReadonlyArray<Verdict>): Verdict =>
  conclude(subject, {
    proven: verdicts.flatMap(({ proven }) => proven),
    problems: verdicts
      .flatMap(({ problems }) => problems)
      .filter((problem, index, all) => all.findIndex((other) => isSame(problem, other)) === index),
    missing: verdicts.flatMap(({ missing }) => missing)
  })
