/**
 * The embedded ledger for plain TypeScript: promises, and `await using`.
 */
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import type { FaultSettings } from "./faults/Faults.ts"
import type { Tampered, Tampering } from "./faults/Tampering.ts"
import type { CreatedKey, CreateKeyOptions, TenantStatus } from "./keys/ApiKeys.ts"
import { type Address, LedgerServer } from "./LedgerServer.ts"
import type { LedgerOptions } from "./LedgerSettings.ts"

/** A running ledger. Close it, or declare it with `await using`. */
export interface RunningLedger extends Address, AsyncDisposable {
  /** Makes another key. */
  readonly createKey: (options?: CreateKeyOptions) => Promise<CreatedKey>
  /** Ends a key. Answers whether there was such a key. */
  readonly revokeKey: (keyId: string) => Promise<boolean>
  /** Suspends a tenant, or lets it in again. */
  readonly setTenantStatus: (tenant: string, status: TenantStatus) => Promise<void>
  /** Replaces what shall go wrong; `{}` ends all faults. */
  readonly setFaults: (faults: FaultSettings) => Promise<void>
  /** What still shall go wrong. */
  readonly faults: () => Promise<FaultSettings>
  /** Changes stored records behind the ledger's back. */
  readonly tamper: (change: Tampering) => Promise<Tampered>
  /** Ends all connections and gives the port back. May be called twice. */
  readonly close: () => Promise<void>
}

/**
 * Starts a ledger. Rejects with `LedgerStartFailed`, whose `reason` says why.
 *
 * **Example**
 *
 * ```ts
 * await using ledger = await startLedger({ rateLimit: "unlimited" })
 * const xase = new XaseClient({ apiKey: ledger.apiKey, baseUrl: ledger.baseUrl })
 * await ledger.setFaults({ sequence: [{ type: "status", status: 503 }, { type: "reset", commit: true }] })
 * ```
 */
export const startLedger = async (options: LedgerOptions = {}): Promise<RunningLedger> => {
  const runtime = ManagedRuntime.make(LedgerServer.layer(options))
  try {
    const ledger = await runtime.runPromise(LedgerServer)
    const close = () => runtime.dispose()
    return {
      origin: ledger.origin,
      baseUrl: ledger.baseUrl,
      apiKey: ledger.apiKey,
      adminKey: ledger.adminKey,
      dashboardUrl: ledger.dashboardUrl,
      createKey: (keyOptions) => Effect.runPromise(ledger.createKey(keyOptions)),
      revokeKey: (keyId) => Effect.runPromise(ledger.revokeKey(keyId)),
      setTenantStatus: (tenant, status) => Effect.runPromise(ledger.setTenantStatus(tenant, status)),
      setFaults: (faults) => Effect.runPromise(ledger.setFaults(faults)),
      faults: () => Effect.runPromise(ledger.faults),
      tamper: (change) => Effect.runPromise(ledger.tamper(change)),
      close,
      [Symbol.asyncDispose]: close
    }
  } catch (cause) {
    await runtime.dispose()
    throw cause
  }
}
