/**
 * What people look at: the owner's dashboard and record pages, and public receipts.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as ReceiptPage from "./ReceiptPage.ts"
import * as RecordPage from "./RecordPage.ts"
import * as RecordsPage from "./RecordsPage.ts"
import { scripts } from "./Scripts.ts"
import { style } from "./Style.ts"

const asset = (text: string, contentType: string) =>
  Effect.succeed(
    HttpServerResponse.text(text, {
      contentType,
      headers: { "x-content-type-options": "nosniff", "cache-control": "no-cache" }
    })
  )

const assets = HttpRouter.addAll([
  HttpRouter.route("GET", "/xase/assets/style.css", asset(style, "text/css; charset=utf-8")),
  HttpRouter.route("GET", "/xase/assets/live.js", asset(scripts.live, "text/javascript; charset=utf-8")),
  HttpRouter.route("GET", "/xase/assets/receipt.js", asset(scripts.receipt, "text/javascript; charset=utf-8"))
])

/** The pages. */
export const layer = Layer.mergeAll(
  HttpRouter.add("GET", "/", Effect.succeed(HttpServerResponse.redirect("/xase/records"))),
  assets,
  RecordsPage.layer,
  RecordPage.layer,
  ReceiptPage.layer
)
