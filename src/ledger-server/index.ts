/**
 * `xase-sdk/ledger-server`: the embedded ledger.
 *
 * Faithful to the public ledger's contract, with an SQLite database in a folder or in memory, faults on request and
 * tampering on request: what applications are tested and developed against.
 */

export { type Fault, FaultSettings, InvalidFaults } from "./faults/Faults.ts"
export { type Tampered, type Tampering, TamperingFailed } from "./faults/Tampering.ts"
export {
  ApiKeys,
  type CreatedKey,
  type CreateKeyOptions,
  InvalidApiKey,
  type KnownKey,
  type Permission,
  permissions,
  type TenantStatus
} from "./keys/ApiKeys.ts"
export * as KeyStore from "./keys/KeyStore.ts"
export { type Address, LedgerServer, type Service } from "./LedgerServer.ts"
export { type LedgerOptions, LedgerStartFailed } from "./LedgerSettings.ts"
export { type RunningLedger, startLedger } from "./startLedger.ts"
