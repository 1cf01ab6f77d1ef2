/**
 * What people look at: the list of records and the public receipt of one. No payload is ever on a page.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { defaultTenant } from "../ApiKeys.ts"
import { LedgerSettings } from "../LedgerSettings.ts"
import { Store } from "../Store.ts"
import { isoTime, type StoredRecord } from "../StoredRecord.ts"
import * as Verification from "../Verification.ts"
import { type Html, html } from "./Html.ts"
import { page } from "./Page.ts"

const row = (record: StoredRecord): Html => html`<tr>
<td><a href="/xase/receipt/${record.transactionId}"><code>${record.transactionId}</code></a></td>
<td>${record.policyId}</td><td>${record.decisionType}</td><td>${record.confidence}</td>
<td><time datetime="${isoTime(record.timestamp)}">${isoTime(record.timestamp)}</time></td></tr>`

const recordsPage = HttpRouter.add(
  "GET",
  "/xase/records",
  Effect.gen(function* () {
    const store = yield* Store
    const { records, total } = yield* store.list({ tenantId: defaultTenant, page: 1, limit: 100 })
    return page(
      "Records",
      html`<p>${total} records, newest first.</p>
<table><thead><tr><th scope="col">Record</th><th scope="col">Policy</th><th scope="col">Type</th>
<th scope="col">Confidence</th><th scope="col">Time</th></tr></thead><tbody>${records.map(row)}</tbody></table>`
    )
  }).pipe(Effect.catch(() => Effect.succeed(page("Not available", html`<p>The records cannot be read.</p>`, 500))))
)

const lines = (entries: ReadonlyArray<readonly [string, string | number | null]>): ReadonlyArray<Html> =>
  entries.map(([term, detail]) => html`<dt>${term}</dt><dd><code>${detail ?? "none"}</code></dd>`)

const receiptPage = HttpRouter.add(
  "GET",
  "/xase/receipt/:id",
  Effect.gen(function* () {
    const store = yield* Store
    const { compat } = yield* LedgerSettings
    const { id = "" } = yield* HttpRouter.params
    const found = yield* store.find(id)
    if (Option.isNone(found))
      return page("No such record", html`<p>This ledger has no record <code>${id}</code>.</p>`, 404)
    const check = compat === "public" ? Verification.verifyPublic : Verification.verify
    const { checks, isValid, record } = yield* check(store, found.value)
    const checkedAt = isoTime(yield* Clock.currentTimeMillis)
    return page(
      "Receipt",
      html`<p role="status"><strong>${isValid ? "VERIFIED" : "TAMPERED"}</strong>, checked ${checkedAt}</p>
<dl>${lines([
        ["Transaction", record.transactionId],
        ["Recorded", isoTime(record.timestamp)],
        ["Policy", record.policyId],
        ["Policy version", record.policyVersion],
        ["Decision type", record.decisionType],
        ["Confidence", record.confidence],
        ["Position in the chain", record.position],
        ["Record hash", record.recordHash],
        ["Previous hash", record.previousHash],
        ["Input hash", record.inputHash],
        ["Output hash", record.outputHash],
        ["Context hash", record.contextHash],
        ...Object.entries(checks).map(([name, passed]): [string, string] => [name, passed ? "yes" : "no"])
      ])}</dl>`
    )
  }).pipe(Effect.catch(() => Effect.succeed(page("Not available", html`<p>The record cannot be read.</p>`, 500))))
)

/** The pages. */
export const layer = Layer.mergeAll(
  HttpRouter.add("GET", "/", Effect.succeed(HttpServerResponse.redirect("/xase/records"))),
  recordsPage,
  receiptPage
)
