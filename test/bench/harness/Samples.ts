/**
 * Measurements of several subjects in interleaved rounds (A B C, A B C...), so that a machine that drifts drifts for all.
 */

/** What one round found, by the name of the measure. */
export type Round = { readonly [measure: string]: number }

/** All rounds of one subject. The same place in two subjects is the same round. */
export interface Samples {
  readonly subject: string
  readonly rounds: ReadonlyArray<Round>
}

/** The middle of the values and their ends. */
export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Runs every subject once a round. */
export const interleave = async <Subject extends { readonly name: string }>(
  subjects: ReadonlyArray<Subject>,
  rounds: number,
  measure: (subject: Subject, round: number) => Promise<Round>
): Promise<ReadonlyArray<Samples>> => {
  const found = subjects.map((subject) => ({ subject, rounds: [] as Array<Round> }))
  for (let round = 0; round < rounds; round++) {
    for (const each of found) {
      each.rounds.push(await measure(each.subject, round))
      process.stderr.write(`\r\x1b[K  round ${round + 1} of ${rounds}: ${each.subject.name}`)
    }
  }
  process.stderr.write("\r\x1b[K")
  return found.map(({ rounds, subject }) => ({ subject: subject.name, rounds }))
}

/** The value below which `share` (0 to 1) of the values are. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[sorted.length >> 1] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[(sorted.length >> 1) - 1] ?? upper)) / 2
}

/** The summary of one measure; `undefined` when the subject has none of it. */
export const summary = ({ rounds }: Samples, measure: string): Summary | undefined => {
  const values = rounds.flatMap((round) => round[measure] ?? [])
  return values.length === 0
    ? undefined
    : { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/** How a subject stands to another: the ratio in each round, then the median of the ratios. */
export const ratio = (samples: Samples, baseline: Samples, measure: string): Summary | undefined =>
  summary(
    {
      subject: samples.subject,
      rounds: samples.rounds.flatMap((round, index) => {
        const [value, base] = [round[measure], baseline.rounds[index]?.[measure]]
        return value === undefined || base === undefined ? [] : [{ [measure]: value / base }]
      })
    },
    measure
  )
