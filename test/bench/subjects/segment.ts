import { Analytics } from "@segment/analytics-node"
import { type Open, repeatCall } from "./Subject.ts"
import { patience } from "./settings.ts"

export const open: Open = ({ url }) => {
  const client = new Analytics({ writeKey: "bench", host: url, httpRequestTimeout: patience })
  return {
    repeat: repeatCall((decision) => client.track({ userId: "bench", event: "decision", properties: decision })),
    flush: () => client.flush({ timeout: patience })
  }
}
