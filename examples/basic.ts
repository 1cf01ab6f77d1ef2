/**
 * A loan approval that is recorded fire-and-forget: the decision goes on, the evidence follows.
 *
 * `npm run example:basic` runs it against an embedded ledger. On your own, set XASE_API_KEY and XASE_BASE_URL.
 */
import { XaseClient } from "xase-sdk/promise"

const xase = new XaseClient({
  onSuccess: (receipt) => console.log(`Recorded:   ${receipt.transaction_id}`),
  onError: (error) => console.error(`Not recorded: ${error.message}`)
})

const application = { userId: "u_4829", amount: 50_000, creditScore: 720 }

const decision = application.creditScore >= 700 ? "APPROVED" : "DECLINED"
const confidence = application.creditScore / 850

const started = performance.now()
await xase.record({
  policy: "credit_policy_v4",
  input: application,
  output: { decision },
  confidence,
  transactionId: `loan_${application.userId}`
})
const milliseconds = performance.now() - started

console.log(`Decision:   ${decision} (confidence: ${(confidence * 100).toFixed(1)}%)`)
console.log(`Evidence:   queued with zero latency (record() took ${milliseconds.toFixed(2)} ms, no network)`)

await xase.close()
