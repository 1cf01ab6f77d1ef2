/**
 * The owner's pages are for the machine on which the ledger runs, however it listens.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import { forOwner } from "../../../src/ledger-server/pages/Owner.ts"

const statusFor = (remoteAddress: string | undefined) => {
  const request = HttpServerRequest.fromWeb(new Request("http://localhost/xase/records")).modify({
    remoteAddress: Option.fromUndefinedOr(remoteAddress)
  })
  return forOwner(Effect.succeed(HttpServerResponse.text("decisions"))).pipe(
    Effect.provideService(HttpServerRequest.HttpServerRequest, request),
    Effect.map(({ status }) => status)
  )
}

describe("the owner's pages", () => {
  it.effect.each([
    ["127.0.0.1", 200],
    ["::1", 200],
    ["::ffff:127.0.0.1", 200],
    ["10.0.0.7", 403],
    ["::ffff:10.0.0.7", 403],
    ["2001:db8::1", 403],
    [undefined, 403]
  ] as const)("asked from %s answer %s", ([address, status]) =>
    Effect.map(statusFor(address), (answered) => assert.strictEqual(answered, status))
  )
})
