/**
 * Where a running ledger is reached.
 */
import * as Context from "effect/Context"

/** The path under which the contract lives. */
export const basePath = "/api/xase/v1"

/** Where a running ledger is reached. */
export class Origin extends Context.Service<
  Origin,
  {
    /** Scheme, host and port, without a slash at the end. */
    readonly origin: string
  }
>()("xase-sdk/Origin") {}
