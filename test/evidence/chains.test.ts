/**
 * Chains of commitments and of records against a model: whole ones are valid, every single change is named.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect } from "effect"
import { sha256Hex } from "../../src/evidence/Sha256.ts"
import { type ChainedCommitment, LedgerWalk, type Problem, verifyProducerChain } from "../../src/verify.ts"
import { constants, int, seeded } from "../support/arbitraries.ts"

const hashOf = (n: number): string => sha256Hex(`commitment ${n}`)

const chainOf = (length: number): ReadonlyArray<ChainedCommitment> =>
  Array.from({ length }, (_, index) => ({
    producer: "p",
    sequence: index + 1,
    hash: hashOf(index),
    previousHash: index === 0 ? null : hashOf(index - 1),
    transactionId: `txn_${index}`
  }))

const reasons = (problems: ReadonlyArray<Problem>): ReadonlyArray<string> => [
  ...new Set(problems.map(({ reason }) => reason))
]

const ordered = constants<(chain: ReadonlyArray<ChainedCommitment>) => ReadonlyArray<ChainedCommitment>>(
  (chain) => chain,
  (chain) => chain.toReversed(),
  (chain) => chain.toSorted((a, b) => (a.hash < b.hash ? -1 : 1))
)

const scenes = { length: int(4, 30), at: int(0, 1_000), order: ordered }

describe("a producer's chain", () => {
  it.effect.prop(
    "is valid in any order",
    scenes,
    ({ length, order }) =>
      Effect.sync(() => {
        const { sentence, verdict } = verifyProducerChain("p", order(chainOf(length)), { head: hashOf(length - 1) })
        assert.strictEqual(verdict, "valid", sentence)
        assert.include(sentence, `${length} commitments`)
      }),
    seeded(60)
  )

  it.effect.prop(
    "without one of its inner commitments has a gap, named at the one after it",
    scenes,
    ({ at, length, order }) =>
      Effect.sync(() => {
        const missing = 1 + (at % (length - 2))
        const { problems } = verifyProducerChain("p", order(chainOf(length).toSpliced(missing, 1)))
        assert.deepStrictEqual(reasons(problems), ["gap"])
        assert.strictEqual(problems[0]?.transactionId, `txn_${missing + 1}`)
      }),
    seeded(60)
  )

  it.effect.prop(
    "with a second commitment after one is a fork",
    scenes,
    ({ at, length, order }) =>
      Effect.sync(() => {
        const place = 1 + (at % (length - 1))
        const rival = {
          producer: "p",
          sequence: place + 1,
          hash: "f".repeat(64),
          previousHash: hashOf(place - 1),
          transactionId: "txn_f"
        }
        const { problems } = verifyProducerChain("p", order([...chainOf(length), rival]))
        assert.deepStrictEqual(reasons(problems), ["fork"])
      }),
    seeded(60)
  )

  it.effect.prop(
    "with a commitment in two records is a replay",
    scenes,
    ({ at, length, order }) =>
      Effect.sync(() => {
        const chain = chainOf(length)
        const copy = chain[at % length]
        if (copy === undefined) return
        const { problems } = verifyProducerChain("p", order([...chain, { ...copy, transactionId: "txn_copy" }]))
        assert.include(reasons(problems), "replayed")
      }),
    seeded(60)
  )

  it("without its last commitment lacks the head that was seen", () => {
    const { problems, verdict } = verifyProducerChain("p", chainOf(5).slice(0, 4), { head: hashOf(4) })
    assert.strictEqual(verdict, "invalid")
    assert.deepStrictEqual(reasons(problems), ["rolled back"])
    assert.include(problems[0]?.message ?? "", hashOf(4))
  })

  it("without its first commitment is not proven, and says what is missing", () => {
    const { missing, problems } = verifyProducerChain("p", [
      { producer: "p", sequence: 2, hash: hashOf(1), previousHash: hashOf(0) }
    ])
    assert.deepStrictEqual(reasons(problems), ["gap"])
    assert.deepStrictEqual(missing, ["the first commitment of the producer"])
  })

  it("has nothing gone where records are whose commitments cannot be seen", () => {
    const { missing, problems, verdict } = verifyProducerChain("p", chainOf(5).toSpliced(2, 1), { hasUnseen: true })
    assert.deepStrictEqual(problems, [])
    assert.strictEqual(verdict, "indeterminate")
    assert.include(missing.join(), "whose payload the ledger does not keep")
  })

  it("tells what was accepted and never sent from what was removed", () => {
    const chain = chainOf(3).map((commitment, index) => (index === 2 ? { ...commitment, sequence: 6 } : commitment))
    const { sentence, verdict } = verifyProducerChain("p", chain)
    assert.strictEqual(verdict, "valid")
    assert.strictEqual(
      sentence,
      "The chain of producer p is valid: the 3 commitments of the producer are one chain from its first on; 3 decisions between them were accepted and never sent"
    )
    assert.strictEqual(
      verifyProducerChain("p", chainOf(3)).sentence,
      "The chain of producer p is valid: the 3 commitments of the producer are one chain from its first on"
    )
    assert.deepStrictEqual(verifyProducerChain("p", []).missing, ["a commitment of the producer"])
  })

  it("is valid although commitments of others cannot be seen, as long as its own are whole", () => {
    for (const chain of [chainOf(4), chainOf(4).toReversed(), chainOf(4).toSpliced(1, 0, ...chainOf(4).slice(3))]) {
      const { missing } = verifyProducerChain("p", chain, { hasUnseen: true })
      assert.deepStrictEqual(missing, [])
    }
  })

  it("names a commitment by its number where its record is not known", () => {
    const [, second] = chainOf(2)
    if (second === undefined) return assert.fail()
    const { transactionId: _, ...alone } = second
    const { problems, proven } = verifyProducerChain("p", [alone])
    assert.isTrue(problems[0]?.message.startsWith("number 2 follows a commitment that is not here"))
    assert.deepStrictEqual(proven, [])
  })

  it("has no place for another producer's commitment", () => {
    const { problems } = verifyProducerChain("q", chainOf(1))
    assert.strictEqual(problems[0]?.path, "commitment.producer")
    assert.include(problems[0]?.message ?? "", "number 1 (txn_0)")
  })
})

// -- the ledger's own chain

const recordsOf = (length: number): ReadonlyArray<LedgerWalk.WalkedRecord> =>
  Array.from({ length }, (_, index) => ({
    transactionId: `txn_${index}`,
    recordHash: hashOf(index),
    previousHash: index === 0 ? null : hashOf(index - 1)
  })).reverse()

const walked = (records: ReadonlyArray<LedgerWalk.WalkedRecord>, head?: LedgerWalk.KnownHead) => {
  const index = LedgerWalk.memoryIndex()
  // The state is JSON: an audit keeps it in a file between its steps.
  const state = records.reduce(
    (before, record): LedgerWalk.WalkState => JSON.parse(JSON.stringify(LedgerWalk.step(before, record, index))),
    LedgerWalk.start
  )
  return { state, problems: LedgerWalk.finish(state, index, head) }
}

const sizes = { length: int(4, 30), at: int(0, 1_000), by: Arbitrary.Constant(0) }

describe("a ledger, walked from its newest record", () => {
  it.effect.prop(
    "has nothing wrong when it is whole",
    sizes,
    ({ length }) =>
      Effect.sync(() => {
        const head = { transactionId: `txn_${length - 1}`, recordHash: hashOf(length - 1) }
        const { problems, state } = walked(recordsOf(length), head)
        assert.deepStrictEqual(problems, [])
        assert.strictEqual(state.records, length)
        assert.strictEqual(state.head?.transactionId, head.transactionId)
        assert.strictEqual(state.oldest?.transactionId, "txn_0")
      }),
    seeded(40)
  )

  it.effect.prop(
    "names the record after one that was removed",
    sizes,
    ({ at, length }) =>
      Effect.sync(() => {
        const removed = 1 + (at % (length - 2))
        const { problems } = walked(recordsOf(length).filter(({ transactionId }) => transactionId !== `txn_${removed}`))
        assert.deepStrictEqual(
          problems.map(({ reason, transactionId }) => [reason, transactionId]),
          [["predecessor", `txn_${removed + 1}`]]
        )
        assert.include(problems[0]?.message ?? "", `txn_${removed - 1}`)
      }),
    seeded(40)
  )

  it.effect.prop(
    "names records that changed places",
    sizes,
    ({ at, length }) =>
      Effect.sync(() => {
        const records = recordsOf(length)
        const place = at % (length - 1)
        const swapped = records
          .with(place, records[place + 1] ?? assert.fail())
          .with(place + 1, records[place] ?? assert.fail())
        const { problems } = walked(swapped)
        assert.isAbove(problems.length, 0)
        assert.isTrue(problems.every(({ reason }) => reason === "order" || reason === "predecessor"))
        assert.include(reasons(problems), "order")
      }),
    seeded(40)
  )

  it("tells a fork, a beginning that was removed, and a head that is gone", () => {
    const fork = { transactionId: "txn_f", recordHash: "f".repeat(64), previousHash: hashOf(3) }
    assert.deepStrictEqual(reasons(walked([fork, ...recordsOf(5)]).problems), ["fork"])
    const beheaded = walked(recordsOf(5).slice(0, -1)).problems
    assert.strictEqual(beheaded[0]?.transactionId, "txn_1")
    assert.include(beheaded[0]?.message ?? "", "the beginning was removed")
    const truncated = walked(recordsOf(5).slice(1), { transactionId: "txn_4", recordHash: hashOf(4) }).problems
    assert.deepStrictEqual(
      truncated.map(({ reason, transactionId }) => [reason, transactionId]),
      [["rolled back", "txn_4"]]
    )
    const second = { transactionId: "txn_s", recordHash: "e".repeat(64), previousHash: null }
    const began = walked([second, ...recordsOf(3)]).problems
    assert.strictEqual(began[0]?.reason, "order")
    assert.include(began[0]?.message ?? "", "says that it is the first")
  })
})

describe("commitments in every order", () => {
  const hash = (n: number): string => sha256Hex(`commitment ${n}`)
  const link = (sequence: number, previous: number | null): ChainedCommitment => ({
    producer: "p",
    sequence,
    hash: hash(sequence),
    previousHash: previous === null ? null : hash(previous),
    transactionId: `txn_${sequence}`
  })
  const orders = <A>(list: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
    list.length < 2 ? [list] : list.flatMap((item, at) => orders(list.toSpliced(at, 1)).map((rest) => [item, ...rest]))
  const reasons = (chain: ReadonlyArray<ChainedCommitment>) =>
    new Set(verifyProducerChain("p", chain).problems.map(({ reason }) => reason))

  it("are one line or named as a fork", () => {
    for (const third of [1, 2]) {
      for (const fourth of [1, 2, 3]) {
        const isLine = third === 2 && fourth === 3
        for (const order of orders([link(1, null), link(2, 1), link(3, third), link(4, fourth)])) {
          assert.deepStrictEqual([...reasons(order)], isLine ? [] : ["fork"])
        }
      }
    }
  })

  it("name a commitment that stands in two records", () => {
    const line = [link(1, null), link(2, 1), link(3, 2)]
    for (const twice of line) {
      for (const order of orders([...line, { ...twice, transactionId: "txn_copy" }])) {
        assert.isTrue(reasons(order).has("replayed"))
      }
    }
  })

  it("name two commitments with one number", () => {
    const double = { ...link(3, 2), sequence: 2 }
    for (const order of orders([link(1, null), link(2, 1), double])) {
      assert.strictEqual(verifyProducerChain("p", order).verdict, "invalid")
    }
  })
})
