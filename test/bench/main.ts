/**
 * `npm run bench`: what the parts of a `record()` call cost, compared in one run.
 */
import { cpus } from "node:os"
import canonicalize from "canonicalize"
import { Effect, Layer, Result, Schema } from "effect"
import { write } from "../../src/CanonicalJson.ts"
import { Decision, isDecision } from "../../src/Decision.ts"
import * as Journal from "../../src/Journal.ts"
import { Ledger } from "../../src/Ledger.ts"
import * as LedgerRecord from "../../src/LedgerRecord.ts"
import { XaseClient } from "../../src/promise.ts"
import * as RuntimeContext from "../../src/RuntimeContext.ts"
import { layerRecorder, layerService, Xase } from "../../src/Xase.ts"
import * as XaseConfig from "../../src/XaseConfig.ts"
import { decision } from "./decision.ts"
import { compare, print } from "./measure.ts"

const apiKey = `xase_pk_${"b".repeat(32)}`
const sample = decision(1)
const encoding: LedgerRecord.Encoding = {
  runtimeContext: RuntimeContext.make("bench"),
  redactions: {},
  redact: undefined,
  maxRecordBytes: 1_000_000,
  evidenceBytes: 0
}
const circumstances = { now: 1_795_424_400_000, span: undefined, idempotencyKey: undefined, timeout: undefined }
const record = Result.getOrThrow(LedgerRecord.make(sample, circumstances, encoding))

console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, record of ${record.byteLength} bytes`)

print(
  "Canonical JSON of an input of 1 KB",
  compare([
    { name: "JSON.stringify (no order, no checks)", run: () => JSON.stringify(sample.input) },
    { name: "CanonicalJson.write (order and checks)", run: () => write(sample.input, "input") },
    { name: "canonicalize (order)", run: () => canonicalize(sample.input) }
  ])
)

const isBySchema = Schema.is(Decision)
print(
  "Validating the fields of a decision",
  compare([
    { name: "isDecision", run: () => isDecision(sample) },
    { name: "Schema.is", run: () => isBySchema(sample) }
  ])
)

print(
  "Making a record: validate, order, encode, context, key",
  compare([
    { name: "LedgerRecord.make", run: () => LedgerRecord.make(sample, circumstances, encoding) },
    { name: "structuredClone + JSON.stringify", run: () => JSON.stringify(structuredClone(sample)) }
  ])
)

// The whole call, into a full outbox over a ledger that never answers: each call also drops the oldest record.
const stalled = Layer.succeed(Ledger, {
  append: () => Effect.never,
  verify: () => Effect.never,
  list: () => Effect.never,
  setApiKey: () => Effect.void
})
const client = new XaseClient({ apiKey, baseUrl: "http://127.0.0.1:9/api", queueMaxSize: 1_000, exitHandlers: false })
await Effect.gen(function* () {
  const xase = yield* Xase
  print(
    "The whole call of record()",
    compare([
      { name: "XaseClient.record", run: (n) => client.record(decision(n)) },
      { name: "Xase.record, through Effect.runSync", run: (n) => Effect.runSync(xase.record(decision(n))) }
    ])
  )
}).pipe(
  Effect.provide(
    layerService.pipe(
      Layer.provide(layerRecorder),
      Layer.provide(Journal.layer),
      Layer.provide(stalled),
      Layer.provide(XaseConfig.layer({ apiKey, queueMaxSize: 1_000, shutdownTimeout: 1 }))
    )
  ),
  Effect.runPromise
)
await client.close()
