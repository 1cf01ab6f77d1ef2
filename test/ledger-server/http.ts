/**
 * Requests exactly as they are written: any path, any header, any body, and what becomes of the connection.
 */
import { type Agent, request } from "node:http"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export interface Sent {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly agent?: Agent
}

export interface Received {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly text: string
}

/** The connection broke; `received` is what came before. */
export class Broken extends Schema.TaggedError<Broken>()("Broken", { code: Schema.String, received: Schema.String }) {}

/** Sends a request to an origin. */
export const send = (
  origin: string,
  { agent, body, headers = {}, method = "GET", path }: Sent
): Effect.Effect<Received, Broken> =>
  Effect.callback((resume) => {
    const url = new URL(origin)
    let text = ""
    const broken = (error: NodeJS.ErrnoException) =>
      resume(new Broken({ code: error.code ?? error.message, received: text }))
    const outgoing = request(
      { host: url.hostname, port: url.port, method, path, headers: { ...headers }, agent: agent ?? false },
      (incoming) => {
        incoming.setEncoding("utf8")
        incoming.on("data", (chunk: string) => {
          text += chunk
        })
        incoming.on("error", broken)
        incoming.on("end", () =>
          resume(Effect.succeed({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }))
        )
      }
    )
    outgoing.on("error", broken)
    outgoing.end(body)
    return Effect.sync(() => outgoing.destroy())
  })

/** The JSON of an answer; `undefined` if it has none. */
export const json = ({ text }: Received): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const Receipt = Schema.Struct({
  success: Schema.Literal(true),
  transaction_id: Schema.String.check(Schema.isPattern(/^txn_[0-9a-f]{32}$/)),
  receipt_url: Schema.String,
  timestamp: Schema.String.check(Schema.isPattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)),
  record_hash: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)),
  chain_position: Schema.Literals(["genesis", "chained"])
})

/** The receipt in an answer, or the reason why it has none. */
export const receipt = (received: Received) => Schema.decodeUnknownSync(Receipt)(json(received))

const Verdict = Schema.Struct({
  transaction_id: Schema.String,
  is_valid: Schema.Boolean,
  status: Schema.String,
  verification: Schema.Record(Schema.String, Schema.Boolean),
  metadata: Schema.Record(Schema.String, Schema.Json),
  chain: Schema.Struct({
    previous_hash: Schema.NullOr(Schema.String),
    record_hash: Schema.String,
    is_genesis: Schema.Boolean,
    has_next: Schema.Boolean,
    next_transaction_id: Schema.optionalKey(Schema.String)
  })
})

/** What `GET /verify` says in an answer. */
export const verdict = (received: Received) => Schema.decodeUnknownSync(Verdict)(json(received))

const Listing = Schema.Struct({
  records: Schema.Array(
    Schema.Struct({ transactionId: Schema.String, recordHash: Schema.String, policyId: Schema.NullOr(Schema.String) })
  ),
  pagination: Schema.Struct({
    page: Schema.Int,
    limit: Schema.Int,
    total: Schema.Int,
    pages: Schema.NullOr(Schema.Int)
  })
})

/** A page of records in an answer. */
export const listing = (received: Received) => Schema.decodeUnknownSync(Listing)(json(received))
