/**
 * `/xase/receipt/{id}`: the public receipt. No payload is on it; its verdict is computed again in the visitor's browser.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Option from "effect/Option"
import { isoTime, type StoredRecord } from "../records/RecordRow.ts"
import { basePath } from "../routes/Origin.ts"
import { type Html, html } from "./Html.ts"
import { page } from "./Page.ts"
import { checkList, hashes, terms } from "./RecordPage.ts"
import { verified } from "./Verified.ts"

const data = (name: string, value: string | null | undefined): Html | null =>
  value === null || value === undefined ? null : html`data-${name}="${value}" `

/** What the browser computes with. */
const evidence = (record: StoredRecord, previousId: string | undefined): Html =>
  html`<div id="evidence" ${data("id", record.transactionId)}${data("record-hash", record.recordHash)}${data("input-hash", record.inputHash)}${data("output-hash", record.outputHash)}${data("context-hash", record.contextHash)}${data("previous-hash", record.previousHash)}${data("previous-id", previousId)}${data("verify-path", `${basePath}/verify`)}></div>`

/** The route. */
export const layer = HttpRouter.add(
  "GET",
  "/xase/receipt/:id",
  verified(
    Effect.fnUntraced(function* ({ checks, isValid, record }, store) {
      const previous = yield* store.at(record.tenantId, record.position - 1)
      const previousId = Option.getOrUndefined(Option.map(previous, ({ transactionId }) => transactionId))
      const checkedAt = isoTime(yield* Clock.currentTimeMillis)
      return page(
        "Receipt",
        html`<p id="verdict" class="verdict ${isValid ? "good" : "bad"}" role="status">${isValid ? "VERIFIED" : "TAMPERED"} by the ledger, ${checkedAt}</p>
${evidence(record, previousId)}
<section class="card"><h2>Record</h2>${terms([
          ["Transaction", record.transactionId],
          ["Recorded", isoTime(record.timestamp)],
          ["Policy", record.policyId],
          ["Policy version", record.policyVersion],
          ["Decision type", record.decisionType],
          ["Confidence", record.confidence],
          ["Position in the chain", record.position]
        ])}</section>
<section class="card"><h2>Hashes</h2>${hashes(record)}<p class="soft">The record hash is the SHA-256 of the previous hash, the input hash, the output hash and the context hash, written one after the other.</p></section>
<section class="card"><h2>Checked by the ledger</h2>${checkList(checks)}</section>`,
        { script: "/xase/assets/receipt.js" }
      )
    })
  ).pipe(
    Effect.catch(() => Effect.succeed(page("Not available", html`<p>The record cannot be read.</p>`, { status: 500 })))
  )
)
