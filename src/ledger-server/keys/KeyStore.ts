/**
 * The API keys in a data folder without a server: for the command line, beside a running ledger too.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Database from "../database/Database.ts"
import * as DataFolder from "../database/DataFolder.ts"
import type { LedgerStartFailed } from "../LedgerSettings.ts"
import * as ApiKeys from "./ApiKeys.ts"

/** The keys of the ledger whose data is in `folder`, which is made if need be. */
export const layer = (folder: string): Layer.Layer<ApiKeys.ApiKeys, LedgerStartFailed> =>
  Layer.unwrap(
    Effect.map(DataFolder.open(folder), (files) => Layer.provide(ApiKeys.layer, Database.layer(files.database)))
  )
