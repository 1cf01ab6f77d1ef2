import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { destination, pino } from "pino"
import { type Open, repeatCall } from "./Subject.ts"

/** To a file: nothing is delivered to anybody. */
export const open: Open = () => {
  const file = destination({ dest: join(mkdtempSync(join(tmpdir(), "xase-bench-")), "log"), sync: false })
  const logger = pino(file)
  return {
    repeat: repeatCall((decision) => logger.info(decision)),
    flush: () => new Promise((resolve, reject) => file.flush((error) => (error ? reject(error) : resolve())))
  }
}
