/**
 * `/xase/records`: the dashboard of the ledger's owner, a live table under three charts.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import { defaultTenant } from "../keys/ApiKeys.ts"
import { LedgerSettings } from "../LedgerSettings.ts"
import * as Insights from "../records/Insights.ts"
import * as Verification from "../records/LedgerCheck.ts"
import { isoTime } from "../records/RecordRow.ts"
import { Store } from "../records/Store.ts"
import * as Charts from "./Charts.ts"
import { type Html, html } from "./Html.ts"
import { forOwner } from "./Owner.ts"
import { page } from "./Page.ts"

const spans: ReadonlyArray<readonly [name: string, label: string, millis: number | undefined]> = [
  ["all", "all time", undefined],
  ["hour", "the last hour", 3_600_000],
  ["day", "the last day", 86_400_000]
]

interface Asked {
  readonly policy: string | undefined
  readonly outcome: string | undefined
  readonly search: string | undefined
  readonly span: string
}

const askedOf = (url: string): Asked => {
  const query = new URL(url, "http://localhost").searchParams
  return {
    policy: query.get("policy") || undefined,
    outcome: query.get("outcome") || undefined,
    search: query.get("search") || undefined,
    span: query.get("span") ?? "all"
  }
}

const options = (
  chosen: string | undefined,
  choices: ReadonlyArray<readonly [value: string, label: string]>
): ReadonlyArray<Html> =>
  choices.map(([value, label]) =>
    value === (chosen ?? "")
      ? html`<option value="${value}" selected>${label}</option>`
      : html`<option value="${value}">${label}</option>`
  )

const filters = (asked: Asked, policies: ReadonlyArray<string>, outcomes: ReadonlyArray<string>): Html =>
  html`<form class="card" method="get" action="/xase/records" role="search">
<label>Policy<select name="policy">${options(asked.policy, [["", "any"], ...policies.map((name): [string, string] => [name, name])])}</select></label>
<label>Outcome<select name="outcome">${options(asked.outcome, [["", "any"], ...outcomes.map((word): [string, string] => [word, word])])}</select></label>
<label>Time<select name="span">${options(
    asked.span,
    spans.map(([name, label]) => [name, label])
  )}</select></label>
<label>Search<input name="search" type="search" value="${asked.search ?? ""}" placeholder="id or policy"></label>
<button type="submit">Filter</button></form>`

const notKept = "not kept"

const mixOf = (sums: ReadonlyArray<Insights.OutcomeSum>): Html => {
  const words = [...new Set(sums.map(({ outcome }) => outcome ?? notKept))]
  const byPolicy = Map.groupBy(sums, ({ policy }) => policy ?? "(no policy)")
  return html`<div class="mix">${[...byPolicy].slice(0, 8).map(([policy, parts]) => {
    const shares = parts.map(({ outcome, total }) => ({ label: outcome ?? notKept, value: total }))
    const said = shares.map(({ label, value }) => `${label} ${value}`).join(", ")
    return html`<div class="row"><span>${policy} <span class="soft">${said}</span></span>${Charts.divided(`${policy}: ${said}`, shares, words)}</div>`
  })}${Charts.legend(words)}</div>`
}

const row = ({ outcome, record }: Insights.Listed, isValid: boolean): Html => html`<tr>
<td><a href="/xase/records/${record.transactionId}"><code>${record.transactionId}</code></a></td>
<td>${record.policyId}</td><td>${outcome ?? html`<span class="soft">not kept</span>`}</td><td>${record.decisionType}</td>
<td>${record.confidence === null ? null : record.confidence.toFixed(3)}</td>
<td><time datetime="${isoTime(record.timestamp)}">${isoTime(record.timestamp).replace("T", " ").slice(0, 23)}</time></td>
<td>${isValid ? html`<span class="badge good">verified</span>` : html`<span class="badge bad">tampered</span>`}</td></tr>`

/** The route. */
export const layer = HttpRouter.add(
  "GET",
  "/xase/records",
  forOwner(
    Effect.gen(function* () {
      const store = yield* Store
      const settings = yield* LedgerSettings
      const { url } = yield* HttpServerRequest
      const now = yield* Clock.currentTimeMillis
      const asked = askedOf(url)
      const length = spans.find(([name]) => name === asked.span)?.[2]
      const filter = {
        tenantId: defaultTenant,
        policy: asked.policy,
        outcome: asked.outcome,
        search: asked.search,
        since: length === undefined ? undefined : now - length
      }
      const { confidences, listed, outcomes, perMinute, total } = yield* Insights.look(filter, now)
      const policies = yield* Insights.policies(defaultTenant)
      const verdicts = yield* Effect.forEach(listed, ({ record }) => Verification.verify(settings, store, record))
      const wrong = verdicts.filter(({ isValid }) => !isValid).length
      const words = [...new Set(outcomes.flatMap(({ outcome }) => (outcome === null ? [] : [outcome])))].sort()
      const lastHour = perMinute.reduce((sum, value) => sum + value, 0)
      const minuteBars = perMinute.map((value, index) => ({
        label: `${perMinute.length - 1 - index} minutes ago`,
        value
      }))
      const confidenceBars = confidences.map((value, index) => ({
        label: `${index / 10} to ${(index + 1) / 10}`,
        value
      }))
      return page(
        "Records",
        html`${filters(asked, policies, words)}<div id="live">
<div class="cards">
<section class="card"><h2>Records</h2><div class="number">${total}</div><div class="soft">${lastHour} in the last hour</div></section>
<section class="card"><h2>Verification</h2><div class="number">${wrong === 0 ? html`<span class="badge good">all verified</span>` : html`<span class="badge bad">${wrong} tampered</span>`}</div><div class="soft">of the ${listed.length} records below</div></section>
<section class="card"><h2>Decisions per minute</h2>${Charts.bars(`Decisions per minute in the last hour, ${lastHour} in all`, minuteBars, ["60 min ago", "30", "now"])}</section>
</div><div class="cards">
<section class="card"><h2>Outcomes by policy</h2>${outcomes.length === 0 ? html`<p class="soft">No records yet.</p>` : mixOf(outcomes)}</section>
<section class="card"><h2>Confidence</h2>${Charts.bars("Histogram of confidence", confidenceBars, ["0", "0.5", "1"])}</section>
</div>
<section class="card"><h2>Newest</h2><div class="scroll" tabindex="0" role="region" aria-label="Newest records"><table><thead><tr>
<th scope="col">Record</th><th scope="col">Policy</th><th scope="col">Outcome</th><th scope="col">Type</th><th scope="col">Confidence</th><th scope="col">Time (UTC)</th><th scope="col">State</th></tr></thead>
<tbody>${listed.map((entry, index) => row(entry, verdicts[index]?.isValid ?? false))}</tbody></table></div>
<p class="soft">The newest ${listed.length} of ${total}. Charts show up to the newest ${Insights.horizon}.</p></section></div>`,
        { script: "/xase/assets/live.js" }
      )
    })
  )
)
