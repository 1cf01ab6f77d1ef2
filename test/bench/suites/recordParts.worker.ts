/**
 * The steps of a call, one by one, and what they stand against.
 */
import canonicalize from "canonicalize"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { XaseClient } from "xase-sdk/promise"
import * as Client from "../../../src/client/Client.ts"
import { layerService, Xase } from "../../../src/client/Xase.ts"
import { Decision, isDecision } from "../../../src/decision/Decision.ts"
import * as LedgerRecord from "../../../src/decision/DecisionRecord.ts"
import * as RuntimeContext from "../../../src/decision/RuntimeContext.ts"
import { evidenceBytes } from "../../../src/decision/Sealer.ts"
import * as Journal from "../../../src/delivery/Journal.ts"
import { write } from "../../../src/evidence/CanonicalJson.ts"
import { Ledger } from "../../../src/ledger/Ledger.ts"
import * as XaseConfig from "../../../src/settings/XaseConfig.ts"
import { decision } from "../decision.ts"
import type { Samples } from "../harness/Samples.ts"
import { apiKey, settings } from "../subjects/settings.ts"

const sample = decision(1)
const encoding: LedgerRecord.Encoding = {
  runtimeContext: RuntimeContext.make("bench"),
  redactions: {},
  redact: undefined,
  maxRecordBytes: 1_000_000,
  evidenceBytes: evidenceBytes(undefined)
}
const circumstances = { now: 1_795_424_400_000, span: undefined, idempotencyKey: undefined, timeout: undefined }
const record = Result.getOrThrow(LedgerRecord.make(sample, circumstances, encoding))

const never = Layer.succeed(Ledger, {
  append: () => Effect.never,
  verify: () => Effect.never,
  list: () => Effect.never,
  setApiKey: () => Effect.void
})

/** A small outbox stays small: each call drops the oldest record. A large one has room for every call. */
const runtimeOf = (queueMaxSize: number) =>
  ManagedRuntime.make(
    layerService.pipe(
      Layer.provideMerge(Client.layerOverLedger),
      Layer.provide([never, Journal.layer]),
      Layer.provide(XaseConfig.layer({ ...settings({ url: "http://127.0.0.1:9", concurrency: 1 }), queueMaxSize }))
    )
  )

/** Keeps results alive, so that no engine may leave the work out. */
export let sink: unknown

const isBySchema = Schema.is(Decision)

/** Nanoseconds of each step, in interleaved rounds. */
export const parts = async (rounds: number, calls: number): Promise<ReadonlyArray<Samples>> => {
  const { delivery } = await runtimeOf(2 * calls * (rounds + 1)).runPromise(Client.Client)
  const xase = await runtimeOf(1_000).runPromise(Xase)
  const client = new XaseClient({ apiKey, baseUrl: "http://127.0.0.1:9", queueMaxSize: 1_000, exitHandlers: false })
  let accepted = 0
  const subjects: ReadonlyArray<readonly [name: string, run: (n: number) => unknown]> = [
    ["validate: isDecision", () => isDecision(sample)],
    ["canonicalise: CanonicalJson.write of input", () => write(sample.input, "input")],
    ["canonicalise: CanonicalJson.write of output", () => write(sample.output, "output")],
    [
      "canonicalise: CanonicalJson.write of context, with the runtime's",
      () => write(sample.context, "context", undefined, encoding.runtimeContext)
    ],
    [
      "encode: LedgerRecord.make (all of the above, key, body)",
      () => LedgerRecord.make(sample, circumstances, encoding)
    ],
    ["enqueue: acceptNow", () => delivery.acceptNow({ ...record, idempotencyKey: `key-${accepted++}` })],
    ["the whole: XaseClient.record, outbox full", (n) => client.record(decision(n))],
    ["the whole: Xase.record by Effect.runSync, outbox full", (n) => Effect.runSync(xase.record(decision(n)))],
    ["to compare: Schema.is(Decision)", () => isBySchema(sample)],
    ["to compare: JSON.stringify of input", () => JSON.stringify(sample.input)],
    ["to compare: canonicalize of input", () => canonicalize(sample.input)],
    ["to compare: JSON.stringify(structuredClone(decision))", () => JSON.stringify(structuredClone(sample))]
  ]
  const times = subjects.map(() => [] as Array<{ readonly ns: number }>)
  // The first round warms up.
  for (let round = -1; round < rounds; round++) {
    for (const [index, [, run]] of subjects.entries()) {
      const started = process.hrtime.bigint()
      for (let n = 0; n < calls; n++) sink = run(n)
      if (round >= 0) times[index]?.push({ ns: Number(process.hrtime.bigint() - started) / calls })
    }
  }
  return subjects.map(([subject], index) => ({ subject, rounds: times[index] ?? [] }))
}
