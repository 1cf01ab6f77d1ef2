import type { Suite } from "../harness/Suite.ts"
export const memory: Suite = { name: "memory", run: async () => ({ tables: [], charts: [] }) }
