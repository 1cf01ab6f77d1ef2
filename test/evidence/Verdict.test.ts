import { assert, describe, it } from "@effect/vitest"
import { combine, conclude, findings, type Problem, type Verdict } from "../../src/evidence/Verdict.ts"

const problem = (over: Partial<Problem> = {}): Problem => ({
  reason: "fork",
  path: "p",
  message: "two follow one",
  ...over
})

describe("a verdict", () => {
  it("is valid with what is proven and nothing else", () => {
    assert.deepStrictEqual(conclude("It", { proven: ["a", "b", "a"], problems: [], missing: [] }), {
      verdict: "valid",
      sentence: "It is valid: a; b; a",
      proven: ["a", "b"],
      problems: [],
      missing: []
    })
  })

  it("is open while anything is missing", () => {
    assert.deepStrictEqual(conclude("It", { proven: ["a"], problems: [], missing: ["x", "y", "x"] }), {
      verdict: "indeterminate",
      sentence: "It cannot be proven: x; y; x missing",
      proven: ["a"],
      problems: [],
      missing: ["x", "y"]
    })
  })

  it("is open where there was nothing to check", () => {
    const { sentence, verdict } = conclude("It", findings())
    assert.deepStrictEqual([verdict, sentence], ["indeterminate", "It: there was nothing to check"])
  })

  it("is invalid with one problem, whatever else is proven or missing", () => {
    const found = { proven: ["a"], problems: [problem()], missing: ["x"] }
    assert.deepStrictEqual(conclude("It", found), {
      verdict: "invalid",
      sentence: "It is invalid: two follow one",
      ...found
    })
  })

  it("counts the problems after the first", () => {
    const found = { ...findings(), problems: [problem(), problem(), problem()] }
    assert.strictEqual(conclude("It", found).sentence, "It is invalid: two follow one (and 2 more)")
  })

  it("is a copy of what was found", () => {
    const found = findings()
    found.problems.push(problem())
    const { problems } = conclude("It", found)
    found.problems.length = 0
    assert.strictEqual(problems.length, 1)
  })
})

describe("several verdicts together", () => {
  const of = (over: Partial<Verdict>): Verdict => ({
    verdict: "valid",
    sentence: "",
    proven: [],
    problems: [],
    missing: [],
    ...over
  })

  it("have all that each of them has", () => {
    const { missing, problems, proven, verdict } = combine("All", [
      of({ proven: ["a"], missing: ["x"] }),
      of({ proven: ["b"], problems: [problem()], missing: ["y"] })
    ])
    assert.deepStrictEqual([verdict, proven, missing], ["invalid", ["a", "b"], ["x", "y"]])
    assert.deepStrictEqual(problems, [problem()])
  })

  it("are valid when each is", () => {
    assert.strictEqual(combine("All", [of({ proven: ["a"] }), of({ proven: ["b"] })]).verdict, "valid")
    assert.strictEqual(combine("All", [of({ proven: ["a"] }), of({ missing: ["x"] })]).verdict, "indeterminate")
    assert.strictEqual(combine("All", []).verdict, "indeterminate")
  })

  it("say once what two of them found, and keep apart what differs in anything", () => {
    const others = [
      problem({ reason: "gap" }),
      problem({ path: "q" }),
      problem({ message: "other" }),
      problem({ transactionId: "txn_1" })
    ]
    const { problems } = combine("All", [
      of({ problems: [problem(), ...others] }),
      of({ problems: [problem(), ...others] })
    ])
    assert.deepStrictEqual(problems, [problem(), ...others])
  })
})
