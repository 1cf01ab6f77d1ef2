/**
 * The frame of every page, and the headers that go with it: nothing is loaded, nothing is run.
 */
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { type Html, html } from "./Html.ts"

const headers = {
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store"
}

/** A whole page. */
export const page = (title: string, body: Html, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(
    html`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title} · Xase ledger</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui;margin:2rem auto;max-width:70rem;padding:0 1rem}
td,th{padding:.25rem .75rem;text-align:left}code{overflow-wrap:anywhere}</style></head>
<body><main><h1>${title}</h1>${body}</main></body>
</html>`.text,
    { status, contentType: "text/html; charset=utf-8", headers }
  )
