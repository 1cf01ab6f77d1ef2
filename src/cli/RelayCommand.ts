/**
 * `xase relay`: delivers what producers have stored in a shared outbox, on as many machines as wanted.
 */
import * as Console from "effect/Console"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Xase } from "../client/Xase.ts"
import type { Stats } from "../delivery/Delivery.ts"
import { RecordStore } from "../outbox/RecordStore.ts"
import { describe } from "../settings/OutboxSettings.ts"
import { positiveDuration as duration } from "../settings/XaseConfig.ts"
import { withRelay, xase } from "./Connection.ts"
import { bold, CommandFailed, dim, failed, green, json, red, safe } from "./Output.ts"

/** How often a change is looked for, in milliseconds. */
const interval = 250

const line = ({ delivered, failed, inFlight, state }: Stats): string =>
  `${green(String(delivered))} delivered, ${failed > 0 ? red(String(failed)) : "0"} set aside, ${inFlight} in flight, ${state}`

/** `xase relay`: delivers what other processes stored in a durable outbox. */
export const relay = Command.make(
  "relay",
  {
    workers: Flag.Int("workers").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_024 }))),
      Flag.withDescription("Requests in flight at once; 1 keeps the records in order"),
      Flag.withDefault(1)
    ),
    limit: Flag.Int("rate-limit").pipe(
      Flag.withDescription("Records that the ledger takes in a window, for all relays together on Redis"),
      Flag.optional
    ),
    window: Flag.String("rate-window").pipe(
      Flag.withDescription('The window of the limit, such as "1 minute"; an hour unless told otherwise'),
      Flag.optional
    ),
    untilEmpty: Flag.Boolean("until-empty").pipe(
      Flag.withDescription("End when nothing is left to deliver"),
      Flag.withDefault(false)
    )
  },
  ({ limit, untilEmpty, window, workers }) =>
    Effect.gen(function* () {
      const { json: asJson } = yield* xase
      const rateWindow = yield* Effect.mapError(
        Effect.fromResult(duration(Option.getOrElse(window, () => "1 hour"))),
        ([problem, fix]) => new CommandFailed({ detail: `--rate-window ${problem}. ${fix}` })
      )
      yield* withRelay(
        (outbox) =>
          Effect.gen(function* () {
            const client = yield* Xase
            const store = yield* RecordStore
            if (!asJson)
              yield* Console.log(`${bold("relaying")} ${safe(describe(outbox))} ${dim(`with ${workers} at once`)}`)
            let shown = ""
            while (true) {
              yield* Effect.sleep(interval)
              const stats = yield* client.stats
              const text = asJson ? JSON.stringify(stats) : line(stats)
              if (text !== shown) yield* asJson ? json(stats) : Console.log(line(stats))
              shown = text
              if (!untilEmpty || store === undefined || stats.inFlight > 0) continue
              if ((yield* Effect.mapError(store.oldest, failed)) === undefined) return
            }
          }),
        {
          concurrency: workers,
          rateLimit: Option.getOrUndefined(Option.map(limit, (most) => ({ limit: most, window: rateWindow })))
        }
      )
    })
).pipe(
  Command.withDescription("Deliver what waits in a durable outbox, until it is stopped"),
  Command.withExamples([
    { command: "xase relay --outbox redis://localhost:6379", description: "Deliver in order, one at a time" },
    {
      command: "xase relay --outbox redis://localhost:6379 --workers 8 --rate-limit 1000",
      description: "Eight at a time, with all other relays at most 1,000 an hour"
    }
  ])
)
