/**
 * The decisions that are recorded in the benchmarks.
 */

/** The policy of every {@link decision}: its only occurrence in a record, so that a server can count records by it. */
export const marker = "consumer_credit_policy_v4"

/** A decision of about 1 KB, as a lender makes it. */
export const decision = (n: number) => ({
  policy: marker,
  transactionId: undefined as string | undefined,
  input: {
    applicant: { id: `u_${n}`, age: 42, employment: "4_to_7_years", income: 3_850.5, housing: "own", dependents: 2 },
    loan: { amount: 12_500, durationMonths: 36, purpose: "used_car", instalmentRate: 0.18, currency: "EUR" },
    bureau: { score: 720, inquiries: [3, 1, 0, 2], delinquencies: [], oldestAccountMonths: 148, utilisation: 0.31 },
    accounts: [
      { kind: "checking", balance: 1_204.77, overdrafts: 0, openedAt: "2014-03-02" },
      { kind: "savings", balance: 8_950.0, overdrafts: 0, openedAt: "2016-11-19" },
      { kind: "card", balance: -311.09, overdrafts: 1, openedAt: "2019-07-30" }
    ],
    flags: { politicallyExposed: false, sanctionsHit: false, existingCustomer: true, consent: true }
  },
  output: { decision: "APPROVED", score: 684, rate: 0.0649, reasons: ["credit history", "savings", "employment"] },
  confidence: 0.94,
  context: { channel: "web", sessionId: "s_91f0c2", modelRelease: "2026.11.2", region: "eu-west" }
})

/** See {@link decision}. */
export type SampleDecision = ReturnType<typeof decision>

const features = { name: "instalment_to_income", value: 0.1834, weight: -0.27, source: "bureau", known: true }
const featureBytes = JSON.stringify(features).length + 1

/** A decision whose input and output have about so many bytes of JSON: a list of features as a model reads it. */
export const decisionOf = (bytes: number) => ({
  policy: marker,
  input: { features: Array.from({ length: Math.max(1, Math.round((bytes - 40) / featureBytes)) }, () => features) },
  output: { decision: "APPROVED" }
})
