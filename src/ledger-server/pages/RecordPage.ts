/**
 * `/xase/records/{id}`: one decision with its hashes, its place in the chain and what people did about it.
 */

import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Option from "effect/Option"
import { parseLeniently } from "../../evidence/StrictJson.ts"
import { type Intervention, Interventions } from "../records/Interventions.ts"
import type * as Verification from "../records/LedgerCheck.ts"
import { isoTime, type StoredRecord } from "../records/RecordRow.ts"
import { type Html, html } from "./Html.ts"
import { forOwner } from "./Owner.ts"
import { page } from "./Page.ts"
import { verified } from "./Verified.ts"

/** Terms and what they are. */
export const terms = (entries: ReadonlyArray<readonly [string, string | number | null]>): Html =>
  html`<dl>${entries.map(([term, detail]) => html`<dt>${term}</dt><dd><code>${detail ?? "none"}</code></dd>`)}</dl>`

/** The hashes of a record. */
export const hashes = (record: StoredRecord): Html =>
  terms([
    ["Record", record.recordHash],
    ["Previous", record.previousHash],
    ["Input", record.inputHash],
    ["Output", record.outputHash],
    ["Context", record.contextHash]
  ])

/** What was looked at, and how it is. */
export const checkList = (checks: Verification.Checks): Html =>
  html`<ul>${Object.entries(checks).map(
    ([name, passed]) =>
      html`<li>${name.replaceAll("_", " ")}: ${name === "payload_available" ? (passed ? "yes" : "no") : passed ? html`<span class="badge good">right</span>` : html`<span class="badge bad">wrong</span>`}</li>`
  )}</ul>`

const short = (hash: string | null): string => (hash === null ? "none" : `${hash.slice(0, 12)}…`)

const boxWidth = 230

const box = (x: number, label: string, record: StoredRecord | undefined, isHere: boolean): Html => html`<g>
<rect class="box ${isHere ? "here" : ""}" x="${x}" y="8" width="${boxWidth}" height="84" rx="8"></rect>
<text x="${x + 12}" y="30">${label}${record === undefined ? "" : ` · position ${record.position}`}</text>
<text x="${x + 12}" y="52">hash ${record === undefined ? "" : short(record.recordHash)}</text>
<text x="${x + 12}" y="74">follows ${record === undefined ? "" : short(record.previousHash)}</text></g>`

const neighbours = (previous: StoredRecord | undefined, record: StoredRecord, next: StoredRecord | undefined): Html => {
  const holds = previous === undefined ? record.previousHash === null : previous.recordHash === record.previousHash
  const follows = next === undefined || next.previousHash === record.recordHash
  const at = [5, 285, 565] as const
  const link = (from: number, isWhole: boolean) =>
    html`<line class="link ${isWhole ? "" : "cut"}" x1="${from + boxWidth}" y1="50" x2="${from + 280}" y2="50"></line>`
  const said = `The record before ${holds ? "has" : "does not have"} the hash that this record follows; ${
    next === undefined ? "no record follows" : `the next record ${follows ? "follows" : "does not follow"} this one`
  }.`
  return html`<svg viewBox="0 0 800 100" role="img" aria-label="${said}">
${previous === undefined ? box(at[0], "beginning of the chain", undefined, false) : box(at[0], "before", previous, false)}${link(at[0], holds)}
${box(at[1], "this record", record, true)}${next === undefined ? null : html`${link(at[1], follows)}${box(at[2], "after", next, false)}`}</svg>
<p class="soft">${said}</p>
<p>${previous === undefined ? null : html`<a href="/xase/records/${previous.transactionId}">Record before</a>`}
${next === undefined ? null : html` · <a href="/xase/records/${next.transactionId}">Record after</a>`}</p>`
}

const payload = (title: string, text: string | null): Html => {
  if (text === null)
    return html`<section class="card"><h2>${title}</h2><p class="soft">Not kept: the ledger has its hash only.</p></section>`
  return html`<section class="card"><h2>${title}</h2><pre tabindex="0">${pretty(text)}</pre></section>`
}

const pretty = (text: string): string => {
  try {
    return JSON.stringify(parseLeniently(text), null, 2)
  } catch {
    return text
  }
}

const intervention = (done: Intervention): Html => html`<li><strong>${done.action}</strong>
${done.actorName === null ? null : html` by ${done.actorName}`}${done.actorRole === null ? null : html` (${done.actorRole})`},
<time datetime="${isoTime(done.timestamp)}">${isoTime(done.timestamp)}</time>${done.reason === null ? null : html`: ${done.reason}`}</li>`

/** The route. */
export const layer = HttpRouter.add(
  "GET",
  "/xase/records/:id",
  forOwner(
    verified(
      Effect.fnUntraced(function* ({ checks, isValid, record }, store) {
        const interventions = yield* Interventions
        const previous = Option.getOrUndefined(yield* store.at(record.tenantId, record.position - 1))
        const next = Option.getOrUndefined(yield* store.at(record.tenantId, record.position + 1))
        const done = yield* interventions.list(record.tenantId, record.transactionId)
        return page(
          record.transactionId,
          html`<p class="verdict ${isValid ? "good" : "bad"}" role="status">${isValid ? "Verified" : "Tampered with"}</p>
<section class="card"><h2>Place in the chain</h2>${neighbours(previous, record, next)}</section>
<div class="cards"><section class="card"><h2>Decision</h2>${terms([
            ["Recorded", isoTime(record.timestamp)],
            ["Policy", record.policyId],
            ["Policy version", record.policyVersion],
            ["Type", record.decisionType],
            ["Confidence", record.confidence],
            ["Processing time", record.processingTime === null ? null : `${record.processingTime} ms`]
          ])}</section>
<section class="card"><h2>Checked</h2>${checkList(checks)}<p><a href="/xase/receipt/${record.transactionId}">Public receipt</a></p></section></div>
<div class="cards">${payload("Input", record.inputPayload)}${payload("Output", record.outputPayload)}${payload("Context", record.contextPayload)}</div>
<section class="card"><h2>Hashes</h2>${hashes(record)}</section>
<section class="card"><h2>Interventions</h2>${done.length === 0 ? html`<p class="soft">Nobody intervened.</p>` : html`<ul>${done.map(intervention)}</ul>`}</section>`
        )
      })
    )
  )
)
