/**
 * What properties are tested with: JSON of every shape, decisions of every shape, and ways to spoil them.
 */
import { Arbitrary, Schema } from "effect"
import { type Decision, decisionTypes } from "../../src/decision/Decision.ts"

/** Options of a property that runs on the same values each time. */
export const seeded = (runs: number) => ({ arbitrary: { runs, seed: 1 } })

export type Json = null | boolean | number | string | ReadonlyArray<Json> | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

/** Any of these, as likely one as the other. */
export const oneOf = <A>(first: Arbitrary.Arbitrary<A>, ...rest: ReadonlyArray<Arbitrary.Arbitrary<A>>) =>
  Arbitrary.flatMap(
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: rest.length }))),
    (index) => rest[index - 1] ?? first
  )

export const constants = <const A>(first: A, ...rest: ReadonlyArray<A>): Arbitrary.Arbitrary<A> =>
  oneOf<A>(Arbitrary.Constant(first), ...rest.map((value) => Arbitrary.Constant(value)))

export const int = (minimum: number, maximum: number): Arbitrary.Arbitrary<number> =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

/** Text that has a UTF-8 form, with what quoting, sorting and encoding trip over. */
export const text: Arbitrary.Arbitrary<string> = oneOf(
  Arbitrary.map(Arbitrary.schema(Schema.String), (value) => value.toWellFormed()),
  constants(
    "",
    '"',
    "\\",
    "\u0000",
    "\n\r\t\b\f",
    "\u001f",
    "\u007f",
    "\u2028\u2029",
    "é",
    "e\u0301",
    "ﬁ",
    "\u{1f600}",
    "\uffff"
  ),
  constants("constructor", "toString", "hasOwnProperty", "length", "10", "9", "-1", "1e3", "*", "a.b", "[0]")
)

/** Numbers that JSON can hold, with those that are written in a form of their own. */
export const number: Arbitrary.Arbitrary<number> = oneOf(
  Arbitrary.schema(Schema.Finite),
  constants(0, -0, 1e21, 1e20, 123456789012345680000, 1e-6, 1e-7, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 333e-3)
)

const scalar: Arbitrary.Arbitrary<Json> = oneOf<Json>(
  text,
  number,
  Arbitrary.schema(Schema.Boolean),
  Arbitrary.Constant(null)
)

const objectOf = (member: Arbitrary.Arbitrary<Json>): Arbitrary.Arbitrary<JsonObject> =>
  Arbitrary.map(Arbitrary.array(Arbitrary.all([text, member]), { maxLength: 6 }), (members) =>
    Object.fromEntries(members.filter(([key]) => key !== "__proto__"))
  )

const jsonOf = (depth: number): Arbitrary.Arbitrary<Json> =>
  depth === 0
    ? scalar
    : oneOf<Json>(scalar, Arbitrary.array(jsonOf(depth - 1), { maxLength: 4 }), objectOf(jsonOf(depth - 1)))

/** A JSON value, up to four levels deep. */
export const json: Arbitrary.Arbitrary<Json> = jsonOf(4)

/** A JSON object, up to four levels deep. */
export const jsonObject: Arbitrary.Arbitrary<JsonObject> = objectOf(jsonOf(3))

const name: Arbitrary.Arbitrary<string> = Arbitrary.map(text, (value) => value.replaceAll("\u0000", "") || "name")

/** `undefined` means: without the field. */
const maybe = <A>(value: Arbitrary.Arbitrary<A>): Arbitrary.Arbitrary<A | undefined> =>
  oneOf<A | undefined>(value, Arbitrary.Constant(undefined))

/** A copy without the fields that are `undefined`. */
export const withoutAbsent = <A extends object>(value: A): { [Key in keyof A]: Exclude<A[Key], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as never

/** A decision that is valid. */
export const decision: Arbitrary.Arbitrary<Decision> = Arbitrary.map(
  Arbitrary.all({
    policy: name,
    input: jsonObject,
    output: jsonObject,
    confidence: maybe(
      Arbitrary.schema(
        Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
      ) satisfies Arbitrary.Arbitrary<number>
    ),
    context: maybe(jsonObject),
    transactionId: maybe(name),
    policyVersion: maybe(name),
    decisionType: maybe(constants(...decisionTypes)),
    processingTime: maybe(oneOf(int(0, 2_147_483_647), constants(0.4, 0.5, 1234.5, 2_147_483_646.6))),
    storePayload: maybe(Arbitrary.schema(Schema.Boolean)),
    modelId: maybe(name),
    modelVersion: maybe(name),
    modelHash: maybe(name),
    featureSchemaHash: maybe(name),
    explanation: maybe(jsonObject)
  }),
  withoutAbsent
)

const plainKeys = (value: unknown): Json => {
  if (Array.isArray(value)) return value.map(plainKeys)
  if (typeof value !== "object" || value === null) return value as Json
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key.replace(/["\\\u0000-\u001f]/g, "_"), plainKeys(member)])
  )
}

/**
 * The same decision with keys that need no escapes: what `JSON.parse` of Node 24.21 makes of one-character keys that do
 * depends on what it parsed before (`JSON.parse('{"z":"","\\\\":""}')`, then the key `"` is read as `\\`).
 */
export const withPlainKeys = (decision: Decision): Decision => ({
  ...decision,
  ...withoutAbsent({
    input: plainKeys(decision.input) as JsonObject,
    output: plainKeys(decision.output) as JsonObject,
    context: decision.context === undefined ? undefined : (plainKeys(decision.context) as JsonObject),
    explanation: decision.explanation === undefined ? undefined : (plainKeys(decision.explanation) as JsonObject)
  })
})
