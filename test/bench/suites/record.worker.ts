/**
 * What a subject does in the suite `record`.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { decision } from "../decision.ts"
import { quantile, type Round } from "../harness/Samples.ts"
import { open as openSubject, type SubjectName } from "../subjects/index.ts"
import type { Subject } from "../subjects/Subject.ts"

let subject: Subject

export const open = async (name: SubjectName, url: string): Promise<void> => {
  subject = await openSubject(name, { url, concurrency: 1 })
}

const decisions = Array.from({ length: 1_024 }, (_, n) => decision(n))
const at = (n: number) => decisions[n % decisions.length]

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** One call every half millisecond, while what was recorded before is being sent. */
export const paced = async (calls: number): Promise<Round> => {
  const took: Array<number> = []
  let started = 0
  await subject.repeat({
    count: calls,
    pause: async () => {
      const due = started + 0.5
      do await turn()
      while (performance.now() < due)
    },
    next: (n) => {
      const next = at(n)
      started = performance.now()
      return next
    },
    done: () => void took.push((performance.now() - started) * 1_000)
  })
  return {
    p50: quantile(took, 0.5),
    p99: quantile(took, 0.99),
    p999: quantile(took, 0.999),
    max: Math.max(...took)
  }
}

/** After so many milliseconds a burst ends, however many calls there were. */
const burstDeadline = 3_000

/** Calls without a pause. */
export const burst = async (calls: number): Promise<Round> => {
  const started = performance.now()
  let made = 0
  await subject.repeat({
    count: calls,
    next: (n) => {
      if (n % 64 === 0 && performance.now() - started > burstDeadline) return undefined
      made++
      return at(n)
    }
  })
  return { perSecond: (made / (performance.now() - started)) * 1_000 }
}

/** Calls after which a sliced burst lets the event loop turn. */
const slice = 100

/** A burst that lets the event loop turn now and then, and how late its timers are meanwhile, in milliseconds. */
export const slicedBurst = async (calls: number): Promise<Round> => {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await turn()
  const started = performance.now()
  await subject.repeat({
    count: calls,
    pause: (n) => (n % slice === 0 ? turn() : undefined),
    next: (n) => (performance.now() - started > burstDeadline ? undefined : at(n))
  })
  // The timer that measures comes late too.
  await new Promise((resolve) => setTimeout(resolve, 5))
  delay.disable()
  return { loopP99: delay.percentile(99) / 1e6, loopMax: delay.max / 1e6 }
}
