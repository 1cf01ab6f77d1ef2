import { assert, describe, it } from "@effect/vitest"
import canonicalize from "canonicalize"
import { Effect } from "effect"
import * as Draft from "../../src/decision/BodyTemplate.ts"
import { jsonObject, seeded, text } from "../support/arbitraries.ts"

const member = (name: string, value: unknown): string => `,"${name}":${canonicalize(value)}`

const fieldsOf = (word: string, confidence: number | undefined): Draft.FieldTexts => ({
  confidence: confidence === undefined ? "" : member("confidence", confidence),
  decisionType: member("decisionType", word),
  featureSchemaHash: "",
  model: member("modelId", word),
  policy: member("policyId", word) + member("policyVersion", word),
  storePayload: confidence === undefined ? member("storePayload", true) : ""
})

const contextOf = (context: object): string =>
  (canonicalize({ ...context, xase_evidence: "here" }) ?? "").replace('"here"', Draft.separator)

describe("a draft", () => {
  it.effect.prop(
    "is read as it was written, and becomes the body with and without evidence",
    { input: jsonObject, output: jsonObject, context: jsonObject, word: text },
    ({ context, input, output, word }) =>
      Effect.sync(() => {
        const { xase_evidence: _, ...own } = context
        const explanation = word.length % 2 === 0 ? undefined : input
        const confidence = word.length % 3 === 0 ? undefined : 0.5
        const fields = fieldsOf(word, confidence)
        const texts = {
          input: canonicalize(input) ?? "",
          output: canonicalize(output) ?? "",
          explanation: explanation === undefined ? undefined : canonicalize(explanation),
          context: contextOf(own)
        }
        const draft = Draft.write(texts, fields, 1_795_424_400_000)
        const parts = Draft.read(draft)
        assert.deepStrictEqual(parts.fields, fields)
        assert.deepStrictEqual(
          [parts.input, parts.output, parts.recordedAt],
          [texts.input, texts.output, "1795424400000"]
        )
        assert.strictEqual(Draft.contextOf(parts), canonicalize(own))

        const given = {
          ...(confidence === undefined ? { storePayload: true } : { confidence }),
          decisionType: word,
          modelId: word,
          policyId: word,
          policyVersion: word
        }
        const body = { ...given, input, output, ...(explanation === undefined ? {} : { explanation }) }
        const plain = Draft.bodyOf(parts, undefined)
        assert.strictEqual(plain, canonicalize({ ...body, context: own }))
        assert.strictEqual(
          Draft.bodyOf(parts, '{"commitment":1}'),
          canonicalize({ ...body, context: { ...own, xase_evidence: { commitment: 1 } } })
        )
        assert.isAtLeast(Draft.bodyBytes(draft), Buffer.byteLength(plain))
        assert.strictEqual(
          Draft.committedText(parts.fields, "a-key", parts.recordedAt),
          canonicalize({ ...given, idempotencyKey: "a-key", recordedAt: 1_795_424_400_000 })
        )
      }),
    seeded(300)
  )
})
