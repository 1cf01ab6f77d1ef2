/**
 * The id of a record: `txn_` and 32 hexadecimal digits.
 *
 * The first twelve digits are the time, the others are random (80 bits). Ids that grow with time keep the index over them
 * compact, which is what makes an append cheap.
 */
import { randomFillSync } from "node:crypto"

const randomLength = 10
const pool = Buffer.allocUnsafe(randomLength * 512)
let used = pool.length

/** Random bytes are fetched from the system many at a time. */
const randomHex = (): string => {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const hex = pool.toString("hex", used, used + randomLength)
  used += randomLength
  return hex
}

/** Makes an id for a record of this moment (epoch milliseconds). */
export const make = (timestamp: number): string => `txn_${timestamp.toString(16).padStart(12, "0")}${randomHex()}`

/** Whether a text has the form of an id. */
export const isTransactionId = (text: string): boolean => /^txn_[0-9a-f]{32}$/.test(text)
