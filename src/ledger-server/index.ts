/**
 * `xase-sdk/ledger-server`: the embedded ledger.
 *
 * Faithful to the public ledger's contract, with an SQLite database in a folder or in memory, faults on request and
 * tampering on request: what applications are tested and developed against.
 */
export {
  ApiKeys,
  type CreatedKey,
  type CreateKeyOptions,
  InvalidApiKey,
  type KnownKey,
  type Permission,
  permissions,
  type TenantStatus
} from "./ApiKeys.ts"
export { type Fault, FaultSettings, InvalidFaults } from "./Faults.ts"
export * as KeyStore from "./KeyStore.ts"
export { type Address, LedgerServer, type Service } from "./LedgerServer.ts"
export { type LedgerOptions, LedgerStartFailed } from "./LedgerSettings.ts"
export { type RunningLedger, startLedger } from "./startLedger.ts"
export { type Tampered, type Tampering, TamperingFailed } from "./Tampering.ts"
