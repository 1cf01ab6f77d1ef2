/**
 * The frame of every page and the headers that go with it: everything comes from this ledger, nothing from elsewhere.
 */
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { type Html, html } from "./Html.ts"

const headers = {
  "content-security-policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store"
}

/** What a page may say about itself. */
export interface PageOptions {
  readonly status?: number | undefined
  /** The path of a script that makes it livelier. */
  readonly script?: string | undefined
}

/** A whole page. */
export const page = (
  title: string,
  body: Html,
  { script, status = 200 }: PageOptions = {}
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(
    html`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title} · Xase ledger</title>
<link rel="stylesheet" href="/xase/assets/style.css">${script === undefined ? null : html`<script src="${script}" defer></script>`}</head>
<body><header><strong>Xase ledger</strong><nav aria-label="Pages"><a href="/xase/records">Records</a> · <a href="/docs">API</a></nav></header>
<main><h1>${title}</h1>${body}</main></body>
</html>`.text,
    { status, contentType: "text/html; charset=utf-8", headers }
  )
