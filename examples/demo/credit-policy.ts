/**
 * A credit policy that a person can read: points for what is known about the applicant's money and its handling.
 *
 * It does not look at age, sex, marital status, nationality or dependents.
 */
import type { Applicant } from "./applicants.ts"

export const policy = { name: "consumer_credit_policy", version: "4.0" } as const

export interface Verdict {
  readonly decision: "APPROVED" | "REFERRED" | "DECLINED"
  readonly score: number
  /** What counted most against the applicant, for the letter that explains the decision. */
  readonly reasons: ReadonlyArray<string>
  /** How far from a different decision: 0.5 at a threshold, near 1 far from it. */
  readonly confidence: number
}

interface Rule {
  readonly reason: string
  readonly points: number
}

const startingScore = 600
const approveFrom = 600
const referFrom = 560

const pointsFor = (table: { readonly [value: string]: number }, value: string): number => table[value] ?? 0

const rules: ReadonlyArray<(applicant: Applicant) => Rule> = [
  ({ checkingAccount }) => ({
    reason: "balance of the checking account",
    points: pointsFor({ below_0_dm: -40, "0_to_200_dm": -15, at_least_200_dm: 15, none: 35 }, checkingAccount)
  }),
  ({ creditHistory }) => ({
    reason: "credit history",
    points: pointsFor(
      {
        critical_account: 25,
        existing_paid_till_now: 0,
        past_delays: -5,
        all_paid_at_this_bank: -30,
        none_taken_or_all_paid: -35
      },
      creditHistory
    )
  }),
  ({ savings }) => ({
    reason: "savings",
    points: pointsFor(
      { below_100_dm: -12, "100_to_500_dm": 0, "500_to_1000_dm": 12, at_least_1000_dm: 25, unknown_or_none: 12 },
      savings
    )
  }),
  ({ employmentSince }) => ({
    reason: "time in the present employment",
    points: pointsFor(
      { unemployed: -12, below_1_year: -15, "1_to_4_years": 0, "4_to_7_years": 15, at_least_7_years: 8 },
      employmentSince
    )
  }),
  ({ durationMonths }) => ({ reason: "length of the loan", points: Math.round((21 - durationMonths) * 1.2) }),
  ({ creditAmount }) => ({
    reason: "amount of the loan",
    points: creditAmount > 8_000 ? -25 : creditAmount > 4_000 ? -8 : 3
  }),
  ({ installmentRatePercent }) => ({
    reason: "share of the income that the instalments take",
    points: (2 - installmentRatePercent) * 6
  }),
  ({ otherInstallmentPlans }) => ({
    reason: "other instalment plans",
    points: otherInstallmentPlans === "none" ? 3 : -15
  }),
  ({ property }) => ({
    reason: "property",
    points: pointsFor({ real_estate: 12, unknown_or_none: -12 }, property)
  }),
  ({ housing }) => ({ reason: "housing", points: housing === "own" ? 6 : -8 }),
  ({ otherDebtors }) => ({ reason: "guarantor", points: otherDebtors === "guarantor" ? 25 : 0 })
]

/** Decides on one applicant. */
export const decide = (applicant: Applicant): Verdict => {
  const applied = rules.map((rule) => rule(applicant))
  const score = applied.reduce((sum, { points }) => sum + points, startingScore)
  const distance = Math.min(Math.abs(score - approveFrom), Math.abs(score - referFrom))
  return {
    decision: score >= approveFrom ? "APPROVED" : score >= referFrom ? "REFERRED" : "DECLINED",
    score,
    reasons: applied
      .filter(({ points }) => points < 0)
      .sort((a, b) => a.points - b.points)
      .slice(0, 3)
      .map(({ reason }) => reason),
    confidence: Math.round((1 / (1 + Math.exp(-distance / 20))) * 1_000) / 1_000
  }
}
