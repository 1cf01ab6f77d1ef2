/**
 * A fraud check that waits for its receipt, because the payment may only go through with evidence.
 *
 * `npm run example:sync` runs it against an embedded ledger. On your own, set XASE_API_KEY and XASE_BASE_URL.
 */
import { XaseClient, XaseError } from "xase-sdk/promise"

await using xase = new XaseClient({ fireAndForget: false })

const payment = { id: "pay_77120", amount: 12_400, country: "PT", cardCountry: "BR", attemptsLastHour: 4 }

const signals = [
  payment.country !== payment.cardCountry ? "card from another country" : undefined,
  payment.attemptsLastHour > 3 ? "many attempts within an hour" : undefined,
  payment.amount > 10_000 ? "large amount" : undefined
].filter((signal) => signal !== undefined)
const isFraud = signals.length >= 2

try {
  const receipt = await xase.record(
    {
      policy: "fraud_detection_v2",
      decisionType: "FRAUD",
      input: payment,
      output: { isFraud, signals },
      confidence: 0.5 + 0.15 * signals.length,
      transactionId: payment.id
    },
    { skipQueue: true }
  )
  console.log(`Payment ${payment.id}: ${isFraud ? `blocked (${signals.join(", ")})` : "released"}`)
  console.log(`Evidence:  ${receipt.transaction_id} (${receipt.chain_position})`)
  console.log(`Receipt:   ${receipt.receipt_url}`)
} catch (error) {
  if (!(error instanceof XaseError)) throw error
  console.error(`Payment ${payment.id} is held, there is no evidence yet: ${error.code}: ${error.message}`)
  process.exitCode = 1
}
