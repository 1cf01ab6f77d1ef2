/**
 * Small charts as plain SVG: each says in words what it shows.
 */
import { type Html, html } from "./Html.ts"

/** A bar. */
export interface Bar {
  readonly label: string
  readonly value: number
}

const width = 560
const height = 120
const floor = 18

/** Bars beside each other; `ticks` are written below, from left to right. */
export const bars = (title: string, values: ReadonlyArray<Bar>, ticks: ReadonlyArray<string>): Html => {
  const most = Math.max(1, ...values.map(({ value }) => value))
  const step = width / values.length
  const scale = (height - floor - 14) / most
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<text x="0" y="10">${most}</text>
${values.map(
  ({ label, value }, index) =>
    html`<rect class="bar" x="${(index * step + 1).toFixed(1)}" y="${(height - floor - value * scale).toFixed(1)}" width="${(step - 2).toFixed(1)}" height="${(value * scale).toFixed(1)}"><title>${label}: ${value}</title></rect>`
)}
${ticks.map((tick, index) => {
  const position = (index / Math.max(1, ticks.length - 1)) * width
  const anchor = index === 0 ? "start" : index === ticks.length - 1 ? "end" : "middle"
  return html`<text x="${position.toFixed(0)}" y="${height - 4}" text-anchor="${anchor}">${tick}</text>`
})}</svg>`
}

/** A part of a whole. */
export interface Part {
  readonly label: string
  readonly value: number
}

const colours = 6

/** The words in the order of their colours, so that each has the same one everywhere on a page. */
export const colourOf = (labels: ReadonlyArray<string>, label: string): string =>
  `o${Math.min(Math.max(0, labels.indexOf(label)), colours - 1)}`

/** One bar divided into its parts. */
export const divided = (title: string, parts: ReadonlyArray<Part>, labels: ReadonlyArray<string>): Html => {
  const total = parts.reduce((sum, { value }) => sum + value, 0)
  let from = 0
  const pieces = parts.map(({ label, value }) => {
    const length = (value / total) * width
    const piece = html`<rect class="${colourOf(labels, label)}" x="${from.toFixed(1)}" y="0" width="${length.toFixed(1)}" height="16"><title>${label}: ${value}</title></rect>`
    from += length
    return piece
  })
  return html`<svg viewBox="0 0 ${width} 16" preserveAspectRatio="none" role="img" aria-label="${title}">${pieces}</svg>`
}

/** What the colours mean. */
export const legend = (labels: ReadonlyArray<string>): Html =>
  html`<div class="legend">${labels.map(
    (label) =>
      html`<span><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="${colourOf(labels, label)}" width="10" height="10"></rect></svg>${label}</span>`
  )}</div>`
