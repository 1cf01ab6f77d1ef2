/**
 * `xase outbox`: looks after a durable outbox, and after its dead letters above all.
 */
import * as Console from "effect/Console"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Prompt from "effect/cli/Prompt"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import {
  type Care,
  type ElementState,
  type OutboxStore,
  recordsQueue,
  type StoredElement
} from "../outbox/OutboxEngine.ts"
import { acceptedAgain, fromStored } from "../outbox/OutboxEntryJson.ts"
import { describe } from "../settings/OutboxSettings.ts"
import type { OutboxUnavailable } from "../XaseError.ts"
import { withOutboxStore, xase } from "./Connection.ts"
import { CommandFailed, dim, EvidenceWrong, failed, fields, green, json, red, safe, table, yellow } from "./Output.ts"

/** An element in words. */
interface Item {
  readonly state: ElementState
  readonly key: string | undefined
  readonly policy: string | undefined
  readonly transactionId: string | undefined
  /** Epoch milliseconds. */
  readonly acceptedAt: number | undefined
  readonly attempts: number
  readonly reason: string | undefined
  /** What is wrong with what is stored. */
  readonly damage: string | undefined
}

const textIn = (value: unknown, name: string): string | undefined => {
  const text = Predicate.isObject(value) ? value[name] : undefined
  return typeof text === "string" ? text : undefined
}

/** What is stored of the record: dead letters have a reason around it. */
const recordIn = ({ element, state }: StoredElement): unknown =>
  state === "dead" && Predicate.isObject(element) ? element.record : element

const itemOf = (stored: StoredElement): Item => {
  const record = recordIn(stored)
  const read = fromStored(record)
  const acceptedAt = Predicate.isObject(record) ? record.acceptedAt : undefined
  return {
    state: stored.state,
    key: textIn(record, "idempotencyKey"),
    policy: textIn(record, "policy"),
    transactionId: textIn(record, "transactionId"),
    acceptedAt: typeof acceptedAt === "number" ? acceptedAt : undefined,
    attempts: stored.attempts,
    reason: textIn(stored.element, "reason"),
    damage: Result.isFailure(read) ? read.failure : undefined
  }
}

const pageSize = 500

/** Goes through the elements in a state, a page at a time. */
const forEachElement = <E, R>(
  care: Care,
  state: ElementState,
  each: (element: StoredElement) => Effect.Effect<"go on" | "enough", E, R>
): Effect.Effect<void, OutboxUnavailable | E, R> =>
  Effect.gen(function* () {
    let from: string | undefined
    do {
      const page = yield* care.page(state, from, pageSize)
      for (const element of page.elements) {
        if ((yield* each(element)) === "enough") return
      }
      from = page.next
    } while (from !== undefined)
  })

const collect = (
  care: Care,
  states: ReadonlyArray<ElementState>,
  isWanted: (item: Item) => boolean,
  limit: number
): Effect.Effect<ReadonlyArray<StoredElement>, OutboxUnavailable> =>
  Effect.gen(function* () {
    const found: Array<StoredElement> = []
    for (const state of states) {
      yield* forEachElement(care, state, (element) =>
        Effect.sync(() => {
          if (isWanted(itemOf(element))) found.push(element)
          return found.length < limit ? "go on" : "enough"
        })
      )
    }
    return found
  })

const allStates: ReadonlyArray<ElementState> = ["waiting", "in flight", "dead", "unreadable"]

const age = (since: number | undefined, now: number): string => {
  if (since === undefined) return dim("-")
  const seconds = Math.max(0, Math.round((now - since) / 1_000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`
}

const opened = <A, E extends { readonly message: string }, R>(
  effect: (store: OutboxStore, described: string) => Effect.Effect<A, E, R>
) =>
  withOutboxStore((store, outbox) =>
    Effect.gen(function* () {
      if (store.report !== undefined) yield* Console.error(yellow(safe(store.report)))
      return yield* effect(store, describe(outbox))
    })
  ).pipe(
    Effect.mapError((error) =>
      error instanceof CommandFailed || error instanceof EvidenceWrong ? error : failed(error)
    )
  )

const status = Command.make("status", {}, () =>
  opened(({ care }, described) =>
    Effect.gen(function* () {
      const { json: asJson } = yield* xase
      const counts = yield* care.counts
      const now = Date.now()
      const oldest = (yield* care.oldest).flatMap((element) => itemOf(element).acceptedAt ?? [])
      const oldestAcceptedAt = oldest.length === 0 ? undefined : Math.min(...oldest)
      if (asJson) return yield* json({ outbox: described, ...counts, oldestAcceptedAt })
      yield* fields([
        ["outbox", safe(described)],
        ["waiting", String(counts.waiting)],
        ["in flight", String(counts["in flight"])],
        ["oldest", age(oldestAcceptedAt, now)],
        ["dead letters", counts.dead === 0 ? green("0") : red(String(counts.dead))],
        ...(counts.unreadable === 0 ? [] : [["unreadable", red(String(counts.unreadable))] as const])
      ])
    })
  )
).pipe(Command.withDescription("Count what waits, is in flight and was set aside"))

const list = Command.make(
  "list",
  {
    state: Flag.Literals("state", ["all", "waiting", "in flight", "dead", "unreadable"]).pipe(
      Flag.withDescription("Only those in this state"),
      Flag.withDefault("all" as const)
    ),
    limit: Flag.Int("limit").pipe(Flag.withDescription("How many at most"), Flag.withDefault(50))
  },
  ({ limit, state }) =>
    opened(({ care }) =>
      Effect.gen(function* () {
        const { json: asJson } = yield* xase
        const elements = yield* collect(care, state === "all" ? allStates : [state], () => true, limit)
        const items = elements.map(itemOf)
        if (asJson) return yield* Effect.forEach(items, json, { discard: true })
        const now = Date.now()
        yield* table(
          ["key", "state", "policy", "age", "taken", "reason"],
          items.map((item) => [
            safe(item.key ?? "?"),
            item.state === "dead" || item.state === "unreadable" ? red(item.state) : item.state,
            safe(item.policy ?? "?"),
            age(item.acceptedAt, now),
            String(item.attempts),
            safe(item.reason ?? item.damage ?? "")
          ])
        )
      })
    )
).pipe(Command.withDescription("List records, the oldest first"))

const key = Argument.String("key").pipe(
  Argument.withDescription("The idempotency key of the record, or the application's transaction id")
)

const isNamed =
  (names: ReadonlyArray<string>) =>
  (item: Item): boolean =>
    names.some((name) => name === item.key || name === item.transactionId)

const show = Command.make("show", { key }, ({ key }) =>
  opened(({ care }) =>
    Effect.gen(function* () {
      const { json: asJson } = yield* xase
      const [element] = yield* collect(care, allStates, isNamed([key]), 1)
      if (element === undefined) return yield* new CommandFailed({ detail: `no record ${safe(key)} in the outbox` })
      const item = itemOf(element)
      const body = textIn(recordIn(element), "body")
      if (asJson) return yield* json({ ...item, body })
      yield* fields([
        ["key", safe(item.key ?? "?")],
        ["state", item.state],
        ["policy", safe(item.policy ?? "?")],
        ["accepted", item.acceptedAt === undefined ? dim("-") : new Date(item.acceptedAt).toISOString()],
        ["taken", `${item.attempts} times`],
        ...(item.reason === undefined ? [] : [["reason", red(safe(item.reason))] as const]),
        ...(item.damage === undefined ? [] : [["damage", red(safe(item.damage))] as const])
      ])
      if (body !== undefined) yield* Console.log(`\n${safe(body)}`)
    })
  )
).pipe(Command.withDescription("Show a record with its body"))

const chosen = {
  keys: key.pipe(Argument.variadic()),
  all: Flag.Boolean("all").pipe(Flag.withDescription("All dead letters"), Flag.withDefault(false)),
  yes: Flag.Boolean("yes").pipe(Flag.withDescription("Do not ask"), Flag.withDefault(false))
}

const dead: ReadonlyArray<ElementState> = ["dead", "unreadable"]

/** The dead letters that are meant, once somebody has agreed. */
const agreed = Effect.fnUntraced(function* (
  care: Care,
  { all, keys, yes }: { readonly all: boolean; readonly keys: ReadonlyArray<string>; readonly yes: boolean },
  question: (count: number) => string
) {
  if (all === keys.length > 0) return yield* new CommandFailed({ detail: "name the dead letters, or say --all" })
  const elements = yield* collect(care, dead, all ? () => true : isNamed(keys), Number.POSITIVE_INFINITY)
  const missing = keys.filter((name) => !elements.some((element) => isNamed([name])(itemOf(element))))
  if (missing.length > 0) {
    return yield* new CommandFailed({ detail: `no dead letter ${missing.map(safe).join(", ")}: see xase outbox list` })
  }
  if (elements.length === 0 || yes) return elements
  if (process.stdin.isTTY !== true) {
    return yield* new CommandFailed({ detail: `${question(elements.length)} Nobody is here to ask: say --yes` })
  }
  const isAgreed = yield* Prompt.run(Prompt.Confirm({ message: question(elements.length), initial: false })).pipe(
    Effect.mapError(() => new CommandFailed({ detail: "stopped: nothing was changed" }))
  )
  return isAgreed ? elements : yield* new CommandFailed({ detail: "nothing was changed" })
})

const letters = (count: number): string => `${count} dead letter${count === 1 ? "" : "s"}`

const report = Effect.fnUntraced(function* (word: string, count: number) {
  const { json: asJson } = yield* xase
  yield* asJson ? json({ [word]: count }) : Console.log(`${green(String(count))} ${word}`)
})

const retry = Command.make(
  "retry",
  {
    ...chosen,
    asNew: Flag.Boolean("as-new").pipe(
      Flag.withDescription("Send it without looking for it in the ledger, however old it is: you have looked yourself"),
      Flag.withDefault(false)
    )
  },
  ({ asNew, ...which }) =>
    opened(({ care, queues }) =>
      Effect.gen(function* () {
        const elements = yield* agreed(care, which, (count) => `Deliver ${letters(count)} again?`)
        const damaged = elements.filter((element) => itemOf(element).damage !== undefined)
        if (damaged.length > 0) {
          return yield* new CommandFailed({
            detail: `${letters(damaged.length)} cannot be delivered: what is stored is damaged; nothing was changed`
          })
        }
        for (const element of elements) {
          const record = recordIn(element)
          yield* Effect.mapError(
            queues.offer({
              name: recordsQueue,
              id: globalThis.crypto.randomUUID(),
              element: asNew ? acceptedAgain(record, Date.now()) : record,
              isCustomId: false
            }),
            failed
          )
          // Stored again first: stopped between the two it is delivered twice, under one key, and not lost.
          yield* care.remove([element])
        }
        yield* report("retried", elements.length)
      })
    )
).pipe(Command.withDescription("Deliver dead letters again"))

const discard = Command.make("discard", chosen, (which) =>
  opened(({ care }) =>
    Effect.gen(function* () {
      const elements = yield* agreed(
        care,
        which,
        (count) => `Discard ${letters(count)} for good? There is no evidence of them anywhere else.`
      )
      yield* care.remove(elements)
      yield* report("discarded", elements.length)
    })
  )
).pipe(Command.withDescription("Remove dead letters for good"))

const doctor = Command.make(
  "doctor",
  {
    compact: Flag.Boolean("compact").pipe(
      Flag.withDescription("Give space back to the system (SQLite)"),
      Flag.withDefault(false)
    )
  },
  ({ compact }) =>
    opened(({ care }, described) =>
      Effect.gen(function* () {
        const { json: asJson } = yield* xase
        const problems: Array<string> = [...(yield* care.check)]
        let records = 0
        for (const state of allStates) {
          yield* forEachElement(care, state, (element) =>
            Effect.sync(() => {
              records++
              const { damage, key } = itemOf(element)
              if (damage !== undefined && problems.length < 1_000) problems.push(`${key ?? "a record"}: ${damage}`)
              return "go on"
            })
          )
        }
        if (compact) yield* care.compact
        if (asJson) yield* json({ outbox: described, records, problems, compacted: compact })
        else {
          yield* Console.log(`${safe(described)}: ${records} records read${compact ? ", compacted" : ""}`)
          for (const problem of problems) yield* Console.log(red(`  ${safe(problem)}`))
          if (problems.length === 0) yield* Console.log(green("  nothing is wrong with it"))
        }
        if (problems.length > 0) {
          return yield* new EvidenceWrong({
            detail: `${problems.length} thing${problems.length === 1 ? " is" : "s are"} wrong with the outbox`
          })
        }
      })
    )
).pipe(Command.withDescription("Check the store and every record in it"))

/** `xase outbox`: shows and repairs a durable outbox. */
export const outbox = Command.make("outbox").pipe(
  Command.withDescription("Look after a durable outbox"),
  Command.withSubcommands([status, list, show, retry, discard, doctor]),
  Command.withExamples([
    { command: "xase outbox status --outbox sqlite:./outbox.db", description: "What waits, and how old it is" },
    { command: "xase outbox list --state dead", description: "What was set aside, and why" },
    { command: "xase outbox retry --all --yes", description: "Deliver all dead letters again" }
  ])
)
