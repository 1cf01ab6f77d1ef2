/**
 * All suites, in the order in which they run. A new one is one more file and one more line.
 */
import type { Suite } from "../harness/Suite.ts"
import { delivery } from "./delivery.ts"
import { growth } from "./growth.ts"
import { memory } from "./memory.ts"
import { outbox } from "./outbox.ts"
import { pages } from "./pages.ts"
import { record } from "./record.ts"
import { start } from "./start.ts"
import { verification } from "./verification.ts"

export const suites: ReadonlyArray<Suite> = [record, delivery, memory, start, growth, verification, outbox, pages]
