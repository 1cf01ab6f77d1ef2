import type { Suite } from "../harness/Suite.ts"
export const growth: Suite = { name: "growth", run: async () => ({ tables: [], charts: [] }) }
