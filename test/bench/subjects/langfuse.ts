import { Langfuse } from "langfuse"
import { type Open, repeatCall } from "./Subject.ts"
import { patience } from "./settings.ts"

export const open: Open = ({ url }) => {
  const client = new Langfuse({ publicKey: "pk", secretKey: "sk", baseUrl: url, requestTimeout: patience })
  return {
    repeat: repeatCall(({ context, input, output, policy }) =>
      client.trace({ name: policy, input, output, metadata: context })
    ),
    flush: () => client.flushAsync()
  }
}
