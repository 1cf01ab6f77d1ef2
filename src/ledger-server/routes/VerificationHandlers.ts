/**
 * `GET /verify/{id}`: public, no key.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Option from "effect/Option"
import { LedgerSettings } from "../LedgerSettings.ts"
import * as Verification from "../records/LedgerCheck.ts"
import { Store } from "../records/Store.ts"
import * as Answers from "./Answers.ts"
import { LedgerApi } from "./Api.ts"

/** The handlers of the verification group. */
export const layer = HttpApiBuilder.group(
  LedgerApi,
  "verification",
  Effect.fnUntraced(function* (handlers) {
    const store = yield* Store
    const settings = yield* LedgerSettings

    const verify = Effect.fnUntraced(
      function* ({ params }: { readonly params: { readonly id: string } }) {
        const found = yield* store.find(params.id)
        if (Option.isNone(found)) return Answers.notFound
        const verdict = yield* Verification.verify(settings, store, found.value)
        const tenantName = yield* store.tenantName(found.value.tenantId)
        const now = yield* Clock.currentTimeMillis
        return Answers.json(
          200,
          Verification.toJson(
            verdict,
            Option.getOrElse(tenantName, () => "unknown"),
            now
          )
        )
      },
      Effect.catch(() => Effect.succeed(Answers.verificationError))
    )

    return handlers.handleRaw("verify", verify)
  })
)
