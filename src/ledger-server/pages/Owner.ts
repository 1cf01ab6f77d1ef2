/**
 * Pages for the ledger's owner: they show decisions, so they are for this machine only, however the ledger listens.
 */
import * as Effect from "effect/Effect"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import { html } from "./Html.ts"
import { page } from "./Page.ts"

const isThisMachine = (address: string): boolean =>
  address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127.")

const refused = page(
  "Not from here",
  html`<p>This page shows decisions and is for the machine on which the ledger runs. Receipts are public.</p>`,
  { status: 403 }
)

const unavailable = page("Not available", html`<p>The records cannot be read.</p>`, { status: 500 })

/** Answers this machine only; a page that fails says so. */
export const forOwner = <E, R>(
  answer: Effect.Effect<HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse, never, R | HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest, (request) =>
    Option.exists(request.remoteAddress, isThisMachine)
      ? Effect.catch(answer, () => Effect.succeed(unavailable))
      : Effect.succeed(refused)
  )
