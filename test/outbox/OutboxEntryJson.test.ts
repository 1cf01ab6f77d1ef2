/**
 * What is stored is covered as a whole: no member of an entry can be changed, removed or added unseen.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { evidenceKey } from "../../src/evidence/Commitment.ts"
import { sha256Hex } from "../../src/evidence/Sha256.ts"
import { acceptedAgain, fromStored, toStored } from "../../src/outbox/OutboxEntryJson.ts"

const key = "0123456789abcdef0123"
const body = JSON.stringify({ context: { [evidenceKey]: { commitment: { decision: { idempotencyKey: key } } } } })
const entry = toStored({
  acceptedAt: 1_000,
  owner: "owner",
  record: {
    idempotencyKey: key,
    body,
    draft: undefined,
    byteLength: body.length,
    policy: "policy",
    transactionId: "order-1",
    fingerprint: "fingerprint",
    span: undefined,
    timeout: undefined,
    sequence: 1
  }
})
const isTaken = (stored: unknown): boolean => Result.isSuccess(fromStored(JSON.parse(JSON.stringify(stored))))

describe("a stored entry", () => {
  it("is read as it was stored", () => assert.isTrue(isTaken(entry)))

  it("is damaged when any member was changed, removed or added", () => {
    for (const [name, value] of Object.entries(entry)) {
      assert.isFalse(isTaken({ ...entry, [name]: typeof value === "number" ? value + 1 : `${value}x` }), name)
      assert.isFalse(isTaken(Object.fromEntries(Object.entries(entry).filter(([other]) => other !== name))), name)
    }
    assert.isFalse(isTaken({ ...entry, timeout: 5 }))
    assert.isFalse(isTaken({ ...entry, version: 1, bodyHash: "0" }))
  })

  it("of version 1 is read when its body is intact and its key the committed one", () => {
    const { entryHash: _, ...rest } = entry
    const first = { ...rest, version: 1, bodyHash: sha256Hex(body) }
    assert.isTrue(isTaken(first))
    assert.isFalse(isTaken({ ...first, body: `${body} ` }))
    assert.isFalse(isTaken({ ...first, idempotencyKey: `${key}1` }))
    assert.isFalse(isTaken({ ...first, idempotencyKey: `\n${key.slice(1)}` }))
  })

  it("can be accepted again, unless it is damaged", () => {
    assert.isTrue(isTaken(acceptedAgain(entry, 2_000)))
    const damaged = { ...entry, policy: "other" }
    assert.strictEqual(acceptedAgain(damaged, 2_000), damaged)
  })
})
