/**
 * A suite: what it is called on the command line, and how it is run.
 */
import type { Report } from "./Report.ts"

/** How much to measure. */
export interface Scale {
  /** How many rounds, where a full run has so many. */
  readonly rounds: (full: number) => number
  /** How many calls or records, where a full run has so many. */
  readonly calls: (full: number) => number
}

/** See the module. */
export interface Suite {
  readonly name: string
  readonly run: (scale: Scale) => Promise<Omit<Report, "suite">>
}

/** Everything. */
export const full: Scale = { rounds: (count) => count, calls: (count) => count }

/** Enough to see that it works. */
export const quick: Scale = { rounds: () => 1, calls: (count) => Math.max(10, Math.round(count / 10)) }
