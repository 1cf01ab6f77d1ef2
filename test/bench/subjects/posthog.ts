import { PostHog } from "posthog-node"
import { type Open, repeatCall } from "./Subject.ts"
import { roomy } from "./settings.ts"

export const open: Open = ({ url }) => {
  const client = new PostHog("phc_bench", { host: url, maxQueueSize: roomy })
  return {
    repeat: repeatCall((decision) => client.capture({ distinctId: "bench", event: "decision", properties: decision })),
    flush: () => client.flush()
  }
}
