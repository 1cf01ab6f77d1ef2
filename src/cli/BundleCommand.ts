/**
 * `xase bundle export|verify`: proof of single records to take away, and to check without anybody's help.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import * as Console from "effect/Console"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Journal } from "../delivery/Journal.ts"
import { verifyBundle } from "../evidence/Bundle.ts"
import { text } from "../evidence/Json.ts"
import { XaseConfig } from "../settings/XaseConfig.ts"
import { bundleOf, download, readFile, trustPolicy } from "./Bundles.ts"
import { withJournal, withPublicJournal, xase } from "./Connection.ts"
import { CommandFailed, EvidenceWrong, json } from "./Output.ts"
import { printVerdict } from "./Verdicts.ts"

const ids = Argument.String("id").pipe(
  Argument.withDescription("Transaction ids, txn_..."),
  Argument.variadic({ min: 1 })
)

const write = (folder: string, id: string, bytes: Uint8Array): Effect.Effect<string, CommandFailed> =>
  Effect.try({
    try: () => {
      mkdirSync(folder, { recursive: true })
      // An id comes from the command line, and must not lead out of the folder.
      const path = join(folder, `evidence_${basename(id)}.zip`)
      writeFileSync(path, bytes, { mode: 0o600 })
      return path
    },
    catch: (cause) =>
      new CommandFailed({ detail: `${folder}: ${cause instanceof Error ? cause.message : String(cause)}` })
  })

const exported = Command.make(
  "export",
  {
    ids,
    out: Flag.String("out").pipe(Flag.withDescription("The folder for the files"), Flag.withDefault("."))
  },
  ({ ids, out }) =>
    Effect.gen(function* () {
      const { json: asJson } = yield* xase
      const config = yield* XaseConfig
      for (const id of ids) {
        const path = yield* Effect.flatMap(download(config, id), (bytes) => write(out, id, bytes))
        yield* asJson ? json({ transaction_id: id, file: path }) : Console.log(path)
      }
    }).pipe(withJournal)
).pipe(
  Command.withDescription("Download proof bundles; needs a key with the permission export"),
  Command.withExamples([{ command: "xase bundle export txn_... --out evidence", description: "Take one record away" }])
)

const verified = Command.make(
  "verify",
  {
    files: Argument.String("file").pipe(Argument.withDescription("Bundles (ZIP)"), Argument.variadic({ min: 1 })),
    trust: Flag.String("trust").pipe(Flag.withDescription("A trust policy file: whose signatures count"), Flag.optional)
  },
  ({ files, trust }) =>
    Effect.gen(function* () {
      const { json: asJson } = yield* xase
      const journal = yield* Journal
      const policy = Option.isSome(trust) ? yield* trustPolicy(trust.value) : undefined
      const wrong: Array<string> = []
      for (const file of files) {
        const bundle = yield* Effect.flatMap(readFile(file), (bytes) => bundleOf(bytes, file))
        const known = journal.find(text(bundle.manifest, "transaction_id") ?? "")?.known
        const verdict = yield* Effect.promise(() => verifyBundle(bundle, { policy, known }))
        if (verdict.verdict === "invalid") wrong.push(file)
        yield* asJson ? json({ file, ...verdict }) : printVerdict(file, verdict)
      }
      if (wrong.length > 0) {
        return yield* new EvidenceWrong({ detail: `${wrong.length} of ${files.length} bundles are not valid` })
      }
    }).pipe(withPublicJournal)
).pipe(
  Command.withDescription("Verify proof bundles offline; exit code 1 if one is wrong"),
  Command.withExamples([
    { command: "xase bundle verify evidence_txn_....zip --trust trust.json", description: "Check one bundle" }
  ])
)

/** `xase bundle`: downloads proof bundles and verifies them offline. */
export const bundle = Command.make("bundle").pipe(
  Command.withSubcommands([exported, verified]),
  Command.withDescription("Proof bundles: take them away, verify them")
)
