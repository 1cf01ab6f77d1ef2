/**
 * The report as one HTML file: opens without a network, and walks the records again in the reader's browser.
 *
 * What it computes is shown beside what the report says. The style follows the reader's colour scheme; everything that comes
 * from data is escaped.
 */
import type { ReportedRecord, ReportSummary } from "../../evidence/Report.ts"

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

const escaped = (value: string): string => value.replace(/[&<>"']/g, (character) => escapes[character] ?? "")

/** JSON that may stand inside a script element. */
const inert = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c")

const style = `
:root { color-scheme: light dark; --ink: #16202c; --soft: #5a6675; --paper: #fff; --line: #d9dee5; --good: #0b6b3a; --bad: #b00020; --open: #7a5200 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf3; --soft: #a3afbd; --paper: #11161d; --line: #2c3642; --good: #5fd08c; --bad: #ff8d8d; --open: #f0c060 } }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.2rem; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2.2rem }
.verdict { border: 2px solid currentColor; border-radius: .6rem; padding: .9rem 1.1rem; font-weight: 600; overflow-wrap: anywhere }
.valid { color: var(--good) } .invalid { color: var(--bad) } .indeterminate { color: var(--open) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem } dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
td code { overflow-wrap: anywhere } td:last-child { overflow-wrap: anywhere; min-width: 14rem }
code { font: .88em ui-monospace, monospace } .soft { color: var(--soft) }`

/**
 * Runs in the reader's browser, alone: it is sent as its text and uses nothing around it. The hash of a record is the SHA-256
 * of its four parts written one after the other (README, "For auditors").
 */
const reverify = async (): Promise<void> => {
  const place = document.getElementById("computed")
  const summary = JSON.parse(document.getElementById("summary")?.textContent ?? "{}")
  const named = new Set(summary.problems.map((problem: { transactionId?: string }) => problem.transactionId))
  const say = (kind: string, text: string): void => {
    if (place === null) return
    place.textContent = text
    place.className = `verdict ${kind}`
  }
  const digest = async (text: string): Promise<string> => {
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
  }
  let walked = 0
  let computed = 0
  let newer: { readonly id: string; readonly follows: string | null } | undefined
  let head: string | undefined
  const wrong: Array<string> = []
  const check = (isRight: boolean, id: string): void => {
    if (!isRight) wrong.push(id)
  }
  for (const block of document.querySelectorAll("script.records")) {
    for (const [id, follows, input, output, context, hash] of JSON.parse(block.textContent ?? "[]")) {
      head ??= hash
      if (newer !== undefined) check(newer.follows === hash, newer.id)
      if (input !== null && output !== null) {
        check((await digest(`${follows ?? ""}${input}${output}${context ?? ""}`)) === hash, id)
        computed++
      }
      newer = { id, follows }
      walked++
    }
    say("indeterminate", `Computing: ${walked} of ${summary.counts.records} records`)
  }
  if (newer !== undefined) check(newer.follows === null, newer.id)
  const unnamed = [...new Set(wrong)].filter((id) => !named.has(id))
  if (
    walked !== summary.counts.records ||
    (head ?? null) !== (summary.head?.recordHash ?? null) ||
    unnamed.length > 0
  ) {
    say(
      "invalid",
      `This report is not whole: it does not name ${unnamed[0] ?? "all of its records"}. Do not rely on it.`
    )
  } else if (wrong.length > 0) {
    say("invalid", `Computed here: ${walked} records, ${new Set(wrong).size} of them wrong, each named below.`)
  } else if (computed < walked) {
    say(
      "indeterminate",
      `Computed here: ${walked} records follow each other; the hashes of ${computed} of them were computed from what was sent, the others have no known parts.`
    )
  } else say("valid", `Computed here: all ${walked} records are made of what was sent and follow each other.`)
}

const row = (cells: ReadonlyArray<string>): string => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`

const table = (headings: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  `<table><thead><tr>${headings.map((heading) => `<th scope="col">${heading}</th>`).join("")}</tr></thead><tbody>${rows.map(row).join("")}</tbody></table>`

const code = (value: string): string => `<code>${escaped(value)}</code>`

/** Everything before the records. */
export const pageStart = (report: ReportSummary): string => {
  const { counts, head, missing, problems, producers } = report
  const facts: ReadonlyArray<readonly [string, string]> = [
    ["Ledger", escaped(report.ledger)],
    ["Audited", escaped(report.createdAt)],
    [
      "Records",
      `${counts.records}: ${counts.valid} valid, ${counts.invalid} invalid, ${counts.indeterminate} not proven`
    ],
    ["Head", head === null ? "none" : `${code(head.recordHash)} (${escaped(head.transactionId)})`]
  ]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Audit of a Xase ledger</title><style>${style}</style></head><body><main>
<h1>Audit of a Xase ledger</h1>
<p class="verdict ${report.verdict}">${escaped(report.sentence)}</p>
<dl>${facts.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join("")}</dl>
<h2>Computed in your browser</h2>
<p id="computed" class="verdict indeterminate" role="status">Not computed: this needs JavaScript.</p>
<h2>Problems</h2>
${
  problems.length === 0
    ? "<p>None.</p>"
    : table(
        ["Record", "Reason", "Where", "What"],
        problems.map(({ message, path, reason, transactionId }) => [
          code(transactionId ?? ""),
          escaped(reason),
          code(path),
          escaped(message)
        ])
      )
}
<h2>Not proven</h2>
${
  missing.length === 0
    ? "<p>Nothing is missing.</p>"
    : table(
        ["Records", "What is missing"],
        missing.map(({ records, what }) => [String(records), escaped(what)])
      )
}
<h2>Producers</h2>
${
  producers.length === 0
    ? "<p>No commitments were seen.</p>"
    : table(
        ["Producer", "Commitments", "Verdict"],
        producers.map(({ commitments, producer, sentence }) => [code(producer), String(commitments), escaped(sentence)])
      )
}
<p class="soft">Keep the head: the next audit then proves that nothing up to it was taken away. What a report cannot prove is what went into the decisions, and what was removed before the first head that somebody kept.</p>
</main>
<script type="application/json" id="summary">${inert(report)}</script>
`
}

/** Some records. */
export const pageRecords = (records: ReadonlyArray<ReportedRecord>): string =>
  `<script type="application/json" class="records">${inert(records)}</script>\n`

/** Everything after the records. */
export const pageEnd = `<script>(${reverify})()</script></body></html>\n`
