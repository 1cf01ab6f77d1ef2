/**
 * A ledger for one test: random port, in memory unless told otherwise, closed at the end.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { type LedgerOptions, LedgerServer } from "../../src/ledger-server/index.ts"

/** Runs with a ledger that closes at the end. */
export const withLedger = <A, E>(
  options: LedgerOptions,
  use: (ledger: LedgerServer["Service"]) => Effect.Effect<A, E>
) => Effect.scoped(Effect.flatMap(LedgerServer, use).pipe(Effect.provide(LedgerServer.layer(options))))

/** A folder that is gone at the end. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "xase-ledger-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)
