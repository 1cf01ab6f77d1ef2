/**
 * Whatever decisions are handed to: the SDK's faces, requests by hand, and peers.
 */
import type { SampleDecision } from "../decision.ts"

/** Where and how a subject sends. */
export interface Target {
  readonly url: string
  /** How many requests are in flight at once, where the subject can be told. */
  readonly concurrency: number
}

/** A caller of `count` times. */
export interface Loop {
  readonly count: number
  /** Asked before each call; what it answers is waited for. */
  readonly pause?: (n: number) => Promise<void> | undefined
  /** Makes the decision of a call, just before it; `undefined` ends the loop early. */
  readonly next: (n: number) => SampleDecision | undefined
  /** Just after the call. */
  readonly done?: () => void
}

/** See the module. */
export interface Subject {
  /** Runs the loop on the subject's own ground: inside of one fiber, or in plain JavaScript. */
  readonly repeat: (loop: Loop) => Promise<void>
  /** Waits until everything is delivered. */
  readonly flush: () => Promise<void>
}

/** Opens a subject. */
export type Open = (target: Target) => Subject | Promise<Subject>

/** {@link Subject.repeat} for a call that returns at once. */
export const repeatCall =
  (call: (decision: SampleDecision) => unknown): Subject["repeat"] =>
  async ({ count, done, next, pause }) => {
    for (let n = 0; n < count; n++) {
      const waiting = pause?.(n)
      if (waiting !== undefined) await waiting
      const decision = next(n)
      if (decision === undefined) return
      call(decision)
      done?.()
    }
  }

/** {@link Subject.repeat} for a call that waits for its answer: so many callers at a time. */
export const repeatInParallel =
  (concurrency: number, call: (decision: SampleDecision) => Promise<unknown>): Subject["repeat"] =>
  async ({ count, next }) => {
    let n = 0
    const caller = async (): Promise<void> => {
      while (n < count) {
        const decision = next(n++)
        if (decision === undefined) return
        await call(decision)
      }
    }
    await Promise.all(Array.from({ length: concurrency }, caller))
  }
