/**
 * What a suite found, and how it is written: JSON for machines, Markdown and SVG for people.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { cpus, release, totalmem, type } from "node:os"
import { join } from "node:path"
import { type BarChart, type Chart, svg } from "./Chart.ts"
import { ratio, type Samples, type Summary, summary } from "./Samples.ts"

/** A table: one row a subject, one column a measure. */
export interface Table {
  readonly title: string
  /** What a reader must know to read the figures rightly. */
  readonly note?: string
  readonly columns: ReadonlyArray<Column>
  readonly samples: ReadonlyArray<Samples>
}

/** A measure, or (with `baseline`) how it stands to that of another subject in the same rounds. */
export interface Column {
  readonly title: string
  readonly measure: string
  readonly baseline?: string
  readonly digits?: number
}

/** See the module. */
export interface Report {
  readonly suite: string
  readonly tables: ReadonlyArray<Table>
  readonly charts: ReadonlyArray<Chart>
}

/** The bars of one measure. */
export const barsOf = (samples: ReadonlyArray<Samples>, measure: string, digits: number): BarChart["bars"] =>
  samples.flatMap((each) => {
    const found = summary(each, measure)
    return found === undefined ? [] : [{ label: each.subject, digits, ...found }]
  })

/** The machine, as far as it matters. */
export const machine = () => ({
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  os: `${type()} ${release()}`,
  date: new Date().toISOString().slice(0, 10)
})

const number = (value: number, digits: number): string =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })

const cell = (found: Summary | undefined, digits: number): string => {
  if (found === undefined) return ""
  const { max, median, min } = found
  const [middle, low, high] = [median, min, max].map((value) => number(value, digits))
  return low === high ? `${middle}` : `${middle} (${low} to ${high})`
}

const row = (samples: Samples, { columns, samples: all }: Table): string => {
  const cells = columns.map(({ baseline, digits, measure }) => {
    if (baseline === undefined) return cell(summary(samples, measure), digits ?? 0)
    const base = all.find(({ subject }) => subject === baseline)
    return base === undefined ? "" : cell(ratio(samples, base, measure), digits ?? 2)
  })
  return `| ${[samples.subject, ...cells].join(" | ")} |`
}

const markdownTable = (table: Table): string =>
  [
    `### ${table.title}`,
    ...(table.note === undefined ? [] : [table.note]),
    [
      `| ${["", ...table.columns.map(({ title }) => title)].join(" | ")} |`,
      `| --- | ${table.columns.map(() => "---:").join(" | ")} |`,
      ...table.samples.map((samples) => row(samples, table))
    ].join("\n")
  ].join("\n\n")

const markdown = (reports: ReadonlyArray<Report>): string => {
  const { cores, cpu, date, memoryGiB, node, os } = machine()
  return `${[
    "# Benchmarks",
    `${cores} x ${cpu}, ${memoryGiB} GiB, Node ${node}, ${os}, ${date}. The server and each subject have a process of their own on this machine; rounds are interleaved; each figure is the median of the rounds, with the lowest and the highest; a ratio is the median of the ratios within each round.`,
    ...reports.flatMap(({ charts, suite, tables }) => [
      `## ${suite}`,
      ...tables.map(markdownTable),
      ...charts.map(({ name, title }) => `![${title}](${name}.svg)`)
    ])
  ].join("\n\n")}\n`
}

/** Writes `report.json`, `report.md` and one SVG a chart. Answers the Markdown. */
export const write = (reports: ReadonlyArray<Report>, folder: string): string => {
  mkdirSync(folder, { recursive: true })
  const text = markdown(reports)
  writeFileSync(join(folder, "report.md"), text)
  writeFileSync(join(folder, "report.json"), `${JSON.stringify({ machine: machine(), reports }, undefined, 2)}\n`)
  for (const chart of reports.flatMap(({ charts }) => charts)) {
    writeFileSync(join(folder, `${chart.name}.svg`), svg(chart))
  }
  return text
}
