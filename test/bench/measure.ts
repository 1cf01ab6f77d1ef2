/**
 * Compares subjects side by side: interleaved rounds, medians, so that a machine that drifts drifts for all of them.
 */

export interface Subject {
  readonly name: string
  readonly run: (iteration: number) => unknown
}

export interface Result {
  readonly name: string
  /** Nanoseconds per call: the median, the fastest and the slowest round. */
  readonly median: number
  readonly min: number
  readonly max: number
}

const medianOf = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

/** Keeps results alive, so that no engine may leave the work out. */
let sink: unknown

export const compare = (
  subjects: ReadonlyArray<Subject>,
  { calls = 20_000, rounds = 15 } = {}
): ReadonlyArray<Result> => {
  for (const { run } of subjects) for (let index = 0; index < calls; index++) sink = run(index)
  const times = new Map<string, Array<number>>(subjects.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of subjects) {
      const started = process.hrtime.bigint()
      for (let index = 0; index < calls; index++) sink = run(index)
      times.get(name)?.push(Number(process.hrtime.bigint() - started) / calls)
    }
  }
  return subjects.map(({ name }) => {
    const all = times.get(name) ?? []
    return { name, median: medianOf(all), min: Math.min(...all), max: Math.max(...all) }
  })
}

export const print = (title: string, results: ReadonlyArray<Result>): void => {
  const [first] = results
  console.log(`\n### ${title}\n`)
  console.log("| | ns per call (median) | fastest to slowest round | ratio |")
  console.log("| --- | ---: | ---: | ---: |")
  for (const { max, median, min, name } of results) {
    const ratio = first === undefined ? "" : (median / first.median).toFixed(2)
    console.log(`| ${name} | ${Math.round(median)} | ${Math.round(min)} to ${Math.round(max)} | ${ratio} |`)
  }
}

export const keepAlive = (): unknown => sink
