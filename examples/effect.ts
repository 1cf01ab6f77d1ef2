/**
 * Recording as a service of an Effect application, with a typed error matched by its tag.
 *
 * `npm run example:effect` runs it against an embedded ledger. On your own, set XASE_API_KEY and XASE_BASE_URL.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Context, Duration, Effect, Layer } from "effect"
import { Xase, XaseLive } from "xase-sdk"

interface Claim {
  readonly id: string
  readonly amount: number
  readonly documents: number
}

class Claims extends Context.Service<
  Claims,
  {
    readonly settle: (claim: Claim) => Effect.Effect<"PAID" | "REVIEW">
  }
>()("example/Claims") {
  static readonly layerNoDeps = Layer.effect(
    Claims,
    Effect.gen(function* () {
      const xase = yield* Xase
      return {
        settle: Effect.fn("Claims.settle")(function* (claim: Claim) {
          const decision = claim.amount < 1_000 && claim.documents >= 2 ? "PAID" : "REVIEW"
          yield* xase
            .recordNow({
              policy: "claims_policy_v1",
              decisionType: "CLAIM",
              input: claim,
              output: { decision },
              transactionId: claim.id
            })
            .pipe(
              Effect.tap((receipt) => Console.log(`${claim.id}: ${decision}, evidence ${receipt.transactionId}`)),
              Effect.catchTag("RateLimitExceeded", (error) =>
                Console.log(`${claim.id}: ${decision}, evidence in ${Duration.format(error.retryAfter)}`)
              ),
              Effect.catch((error) => Console.error(`${claim.id}: ${decision}, no evidence: ${error.message}`))
            )
          return decision
        })
      }
    })
  )
  static readonly layer = this.layerNoDeps.pipe(Layer.provide(XaseLive))
}

const program = Effect.gen(function* () {
  const claims = yield* Claims
  yield* claims.settle({ id: "claim_1", amount: 480, documents: 3 })
  yield* claims.settle({ id: "claim_2", amount: 9_200, documents: 1 })
})

program.pipe(Effect.provide(Claims.layer), NodeRuntime.runMain)
