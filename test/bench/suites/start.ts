import type { Suite } from "../harness/Suite.ts"
export const start: Suite = { name: "start", run: async () => ({ tables: [], charts: [] }) }
