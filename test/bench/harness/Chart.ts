/**
 * Charts as plain SVG, in colours that can be read on white and on black.
 */
import type { Summary } from "./Samples.ts"

/** Horizontal bars from zero, with a whisker from the lowest to the highest round. */
export interface BarChart {
  readonly kind: "bars"
  readonly name: string
  readonly title: string
  readonly bars: ReadonlyArray<Summary & { readonly label: string; readonly digits?: number }>
}

/** Lines over two logarithmic axes. */
export interface LineChart {
  readonly kind: "lines"
  readonly name: string
  readonly title: string
  readonly xTitle: string
  readonly lines: ReadonlyArray<{ readonly label: string; readonly points: ReadonlyArray<readonly [number, number]> }>
}

/** See the module. `name` is that of its file. */
export type Chart = BarChart | LineChart

const text = "#7a828c"
const ours = "#2f81f7"
const theirs = "#9aa2ac"
const palette = [ours, "#d9822b", "#3fa45b", "#a371f7", "#db61a2", "#8b949e"]

const escaped = (value: string): string => value.replace(/[&<>]/g, (found) => `&#${found.charCodeAt(0)};`)

const label = (x: number, y: number, value: string, anchor: "start" | "middle" | "end" = "start"): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escaped(value)}</text>`

const line = (x1: number, y1: number, x2: number, y2: number, colour: string): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${colour}"/>`

const drawing = (width: number, height: number, title: string, parts: ReadonlyArray<string>): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="12" fill="${text}">`,
    `<title>${escaped(title)}</title>`,
    `<text x="10" y="20" font-size="14" font-weight="600">${escaped(title)}</text>`,
    ...parts,
    "</svg>\n"
  ].join("\n")

const bars = ({ bars, title }: BarChart): string => {
  const [left, right, top, step] = [210, 90, 36, 26]
  const width = 760
  const longest = Math.max(...bars.map(({ max }) => max))
  const length = (value: number) => (value / longest) * (width - left - right)
  const parts = bars.flatMap(({ digits = 0, label: name, max, median, min }, index) => {
    const y = top + index * step
    const middle = y + 9
    const value = median.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
    return [
      label(left - 8, middle + 4, name, "end"),
      `<rect x="${left}" y="${y}" width="${length(median).toFixed(1)}" height="18" rx="2" fill="${/xase/i.test(name) ? ours : theirs}"/>`,
      line(left + length(min), middle, left + length(max), middle, text),
      label(left + length(max) + 6, middle + 4, value)
    ]
  })
  return drawing(width, top + bars.length * step + 6, title, parts)
}

const short = (value: number): string =>
  value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 3 })

const lines = ({ lines, title, xTitle }: LineChart): string => {
  const [left, right, top, bottom] = [56, 190, 40, 44]
  const [width, height] = [760, 340]
  const points = lines.flatMap((each) => each.points)
  const axis = (values: ReadonlyArray<number>, from: number, to: number) => {
    const low = Math.log10(Math.min(...values))
    const high = Math.log10(Math.max(...values))
    return (value: number) => from + ((Math.log10(value) - low) / (high - low || 1)) * (to - from)
  }
  const xs = [...new Set(points.map(([x]) => x))].sort((a, b) => a - b)
  const ys = points.map(([, y]) => y)
  const x = axis(xs, left, width - right)
  const y = axis(ys, height - bottom, top)
  // Between the powers of ten, so that a narrow range has more than one tick.
  const ticks = [-3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7]
    .flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power))
    .filter((tick) => tick >= Math.min(...ys) && tick <= Math.max(...ys))
  return drawing(width, height, title, [
    ...ticks.flatMap((tick) => [
      `<g opacity="0.3">${line(left, y(tick), width - right, y(tick), text)}</g>`,
      label(left - 6, y(tick) + 4, short(tick), "end")
    ]),
    ...xs.map((value) => label(x(value), height - bottom + 18, short(value), "middle")),
    label((left + width - right) / 2, height - 8, xTitle, "middle"),
    ...lines.flatMap(({ label: name, points }, index) => {
      const colour = palette[index % palette.length] ?? ours
      const path = points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ")
      const entry = top + 10 + index * 20
      return [
        `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...points.map(
          ([px, py]) => `<circle cx="${x(px).toFixed(1)}" cy="${y(py).toFixed(1)}" r="3" fill="${colour}"/>`
        ),
        `<rect x="${width - right + 16}" y="${entry - 9}" width="10" height="10" fill="${colour}"/>`,
        label(width - right + 32, entry, name)
      ]
    })
  ])
}

/** Draws a chart. */
export const svg = (chart: Chart): string => (chart.kind === "bars" ? bars(chart) : lines(chart))
