/**
 * The plan quota: so many `POST /records` per tenant, refused bodies included, replays not.
 */
import type { Sqlite } from "../../sql/Sqlite.ts"

/** How much of its plan a tenant has used, as the ledger writes it. */
export interface Usage {
  readonly used: number
  readonly limit: number
  readonly tier: string
}

/** Counts against the plan. */
export interface Quotas {
  /** Charges one request. Answers the usage if the plan is used up; then nothing is charged. */
  readonly charge: (tenantId: string) => Usage | undefined
  /** The usage if the plan is used up; charges nothing. */
  readonly usedUp: (tenantId: string) => Usage | undefined
}

/** Counts in the database; without a limit it counts nothing. */
export const make = (sqlite: Sqlite, limit: number | undefined): Quotas => ({
  usedUp: (tenantId) => {
    if (limit === undefined) return undefined
    const used = usedBy(sqlite, tenantId) ?? limit
    return used < limit ? undefined : { used, limit, tier }
  },
  charge: (tenantId) => {
    if (limit === undefined) return undefined
    const charged = sqlite.run(
      "UPDATE tenants SET quota_used = quota_used + 1 WHERE id = ? AND quota_used < ?",
      tenantId,
      limit
    )
    if (charged > 0) return undefined
    return { used: usedBy(sqlite, tenantId) ?? limit, limit, tier }
  }
})

const tier = "free"

const usedBy = (sqlite: Sqlite, tenantId: string): number | undefined => {
  const used = sqlite.get("SELECT quota_used FROM tenants WHERE id = ?", tenantId)?.quota_used
  return typeof used === "number" ? used : undefined
}
