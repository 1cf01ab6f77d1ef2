/**
 * The record that a page is about, verified; or the page that says that there is none.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import { LedgerSettings } from "../LedgerSettings.ts"
import * as Verification from "../records/LedgerCheck.ts"
import { Store } from "../records/Store.ts"
import { html } from "./Html.ts"
import { page } from "./Page.ts"

/** Shows the record of the route's `id`. */
export const verified = <E, R>(
  show: (verdict: Verification.Verdict, store: Store["Service"]) => Effect.Effect<HttpServerResponse, E, R>
) =>
  Effect.gen(function* () {
    const store = yield* Store
    const settings = yield* LedgerSettings
    const { id = "" } = yield* HttpRouter.params
    const found = yield* store.find(id)
    return Option.isNone(found)
      ? page("No such record", html`<p>This ledger has no record <code>${id}</code>.</p>`, { status: 404 })
      : yield* show(yield* Verification.verify(settings, store, found.value), store)
  })
