import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { capacity, make } from "../../src/delivery/RetryBudget.ts"
import { constants, seeded } from "../support/arbitraries.ts"

const withdrawAll = (budget: ReturnType<typeof make>): number => {
  let withdrawn = 0
  while (budget.withdraw()) withdrawn++
  return withdrawn
}

describe("the retry budget (R17)", () => {
  it("allows as many retries at once as it has tokens, then none", () => {
    const budget = make()
    assert.strictEqual(withdrawAll(budget), capacity)
    assert.isFalse(budget.withdraw())
  })

  it("gives one retry for ten delivered records", () => {
    const budget = make()
    withdrawAll(budget)
    for (let n = 0; n < 9; n++) budget.deposit()
    assert.isFalse(budget.withdraw())
    budget.deposit()
    assert.isTrue(budget.withdraw())
    assert.isFalse(budget.withdraw())
  })

  it("never has more than it began with", () => {
    const budget = make()
    for (let n = 0; n < 10_000; n++) budget.deposit()
    assert.strictEqual(withdrawAll(budget), capacity)
  })

  it.prop(
    "in any order, retries stay within the capacity and a tenth of the deliveries",
    { steps: Arbitrary.array(constants("deposit", "withdraw", "withdraw"), { maxLength: 400 }) },
    ({ steps }) => {
      const budget = make()
      let tokens = capacity * 10
      for (const step of steps) {
        if (step === "deposit") {
          budget.deposit()
          tokens = Math.min(capacity * 10, tokens + 1)
        } else {
          assert.strictEqual(budget.withdraw(), tokens >= 10)
          if (tokens >= 10) tokens -= 10
        }
      }
    },
    seeded(200)
  )
})
