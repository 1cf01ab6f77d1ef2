/**
 * What a subject does in the suites that deliver.
 */
import { decision } from "../decision.ts"
import type { Round } from "../harness/Samples.ts"
import { open, type SubjectName } from "../subjects/index.ts"
import type { Subject, Target } from "../subjects/Subject.ts"

const opened = new Map<string, Subject>()

/** A subject is opened once for each target. */
const subjectFor = async (name: SubjectName, target: Target): Promise<Subject> => {
  const key = JSON.stringify([name, target])
  const subject = opened.get(key) ?? (await open(name, target))
  opened.set(key, subject)
  return subject
}

/** Records so many decisions and waits until all are delivered. */
export const deliver = async (name: SubjectName, target: Target, records: number): Promise<Round> => {
  const subject = await subjectFor(name, target)
  const cpu = process.cpuUsage()
  const started = performance.now()
  await subject.repeat({ count: records, next: decision })
  await subject.flush()
  const seconds = (performance.now() - started) / 1_000
  const { system, user } = process.cpuUsage(cpu)
  return { perSecond: records / seconds, cpu: (user + system) / 1e6 / (records / 1_000) }
}
