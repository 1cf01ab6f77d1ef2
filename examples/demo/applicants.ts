/**
 * 1,000 real loan applicants (see `examples/data/README.md` for their source and licence).
 */
import { readFileSync } from "node:fs"

export interface Applicant {
  readonly applicantId: string
  readonly checkingAccount: string
  readonly durationMonths: number
  readonly creditHistory: string
  readonly purpose: string
  readonly creditAmount: number
  readonly savings: string
  readonly employmentSince: string
  readonly installmentRatePercent: number
  readonly otherDebtors: string
  readonly property: string
  readonly otherInstallmentPlans: string
  readonly housing: string
  readonly existingCredits: number
  /** What happened in the end. The policy does not see it. */
  readonly repaid: boolean
}

/** Reads the applicants; the file has no quoted fields. */
export const readApplicants = (): ReadonlyArray<Applicant> => {
  const text = readFileSync(new URL("../data/german-credit.csv", import.meta.url), "utf8")
  const [header = "", ...rows] = text.trim().split(/\r?\n/)
  const names = header.split(",")
  return rows.map((row) => {
    const values = row.split(",")
    const field = (name: string): string => {
      const value = values[names.indexOf(name)]
      if (value === undefined) throw new Error(`german-credit.csv: a row has no ${name}: ${row}`)
      return value
    }
    return {
      applicantId: field("applicant_id"),
      checkingAccount: field("checking_account"),
      durationMonths: Number(field("duration_months")),
      creditHistory: field("credit_history"),
      purpose: field("purpose"),
      creditAmount: Number(field("credit_amount_dm")),
      savings: field("savings"),
      employmentSince: field("employment_since"),
      installmentRatePercent: Number(field("installment_rate_percent")),
      otherDebtors: field("other_debtors"),
      property: field("property"),
      otherInstallmentPlans: field("other_installment_plans"),
      housing: field("housing"),
      existingCredits: Number(field("existing_credits")),
      repaid: field("repaid") === "yes"
    }
  })
}
