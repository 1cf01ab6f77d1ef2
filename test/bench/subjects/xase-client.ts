import { XaseClient } from "xase-sdk/promise"
import { type Open, repeatCall } from "./Subject.ts"
import { patience, settings } from "./settings.ts"

export const open: Open = (target) => {
  const client = new XaseClient({ ...settings(target), exitHandlers: false })
  return {
    repeat: repeatCall((decision) => client.record(decision)),
    flush: async () => {
      await client.flush(patience)
      const { accepted, delivered } = client.getStats()
      if (accepted !== delivered) throw new Error(`${accepted - delivered} records were lost`)
    }
  }
}
