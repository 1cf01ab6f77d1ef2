/**
 * What a subject does in the suite `memory`.
 */
import { decision } from "../decision.ts"
import { open as openSubject, type SubjectName } from "../subjects/index.ts"
import type { Subject } from "../subjects/Subject.ts"

let subject: Subject | undefined

/** The heap and what belongs to it outside, in MB, after everything that can go has gone. */
const used = async (): Promise<number> => {
  for (let n = 0; n < 3; n++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    globalThis.gc?.()
  }
  const { external, heapUsed } = process.memoryUsage()
  return (heapUsed + external) / 1e6
}

/** Imports modules. */
export const load = async (modules: ReadonlyArray<string>): Promise<number> => {
  for (const module of modules) await import(module)
  return used()
}

/** Opens the subject. */
export const open = async (name: SubjectName, url: string): Promise<number> => {
  subject = await openSubject(name, { url, concurrency: 16 })
  return used()
}

/** Records decisions that share nothing with each other. */
export const record = async (count: number): Promise<number> => {
  await subject?.repeat({ count, next: decision })
  return used()
}

/** Waits until everything is delivered. */
export const drain = async (): Promise<number> => {
  await subject?.flush()
  return used()
}
