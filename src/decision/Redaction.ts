/**
 * Hides values of a decision before it becomes evidence.
 *
 * Paths are compiled once into a tree that the JSON writer follows, so nothing that is hidden is ever written, hashed,
 * queued or sent. What is recorded, and what the ledger's hash covers, is the redacted form.
 */
import * as Result from "effect/Result"
import type { RedactionTree } from "../evidence/CanonicalJson.ts"
import { evidenceKey } from "../evidence/Commitment.ts"

/** The objects of a decision that redaction reaches. */
export const redactableFields = ["input", "output", "context", "explanation"] as const

/** A redaction tree for each redactable object of a decision that has hidden values. */
export type Redactions = { readonly [Field in (typeof redactableFields)[number]]?: RedactionTree }

interface MutableTree {
  [key: string]: true | MutableTree
}

/**
 * Compiles paths such as `input.applicant.ssn`, `context.*.email` or `output.reasons.0` into trees. `*` stands for any
 * key and any array element. A path must start at `input`, `output`, `context` or `explanation` and name something
 * inside; the failure says what is wrong with the first bad one.
 */
export const compile = (paths: ReadonlyArray<string>): Result.Result<Redactions, string> => {
  const root: MutableTree = Object.create(null)
  for (const path of paths) {
    const [field, ...keys] = path.split(".")
    if (!redactableFields.some((known) => known === field)) {
      return Result.fail(`"${path}" does not start with one of ${redactableFields.join(", ")}`)
    }
    if (keys.length === 0 || keys.some((key) => key === "" || key === "__proto__")) {
      return Result.fail(`"${path}" names nothing inside ${field}`)
    }
    insert(root, [field ?? "", ...keys])
  }
  for (const tree of Object.values(root)) spreadWildcards(tree)
  // The SDK's own evidence is made of hashes and must stay whole, whatever a wildcard says.
  if (root.context !== undefined && root.context !== true) root.context[evidenceKey] = Object.create(null)
  return Result.succeed(root)
}

const insert = (root: MutableTree, keys: ReadonlyArray<string>): void => {
  let tree = root
  for (const [index, key] of keys.entries()) {
    if (index === keys.length - 1) {
      tree[key] = true
      return
    }
    const existing = tree[key]
    if (existing === true) return
    const next: MutableTree = existing ?? Object.create(null)
    tree[key] = next
    tree = next
  }
}

/** What `*` hides is hidden too under the keys that have paths of their own, which the writer looks up alone. */
const spreadWildcards = (tree: true | MutableTree): void => {
  if (tree === true) return
  const wildcard = tree["*"]
  for (const [key, subtree] of Object.entries(tree)) {
    const merged = wildcard === undefined ? subtree : merge(subtree, wildcard)
    tree[key] = merged
    spreadWildcards(merged)
  }
}

const merge = (one: true | MutableTree, other: true | MutableTree): true | MutableTree => {
  if (one === true || other === true) return true
  const merged: MutableTree = Object.create(null)
  for (const tree of [one, other]) {
    for (const [key, subtree] of Object.entries(tree)) {
      const before = merged[key]
      merged[key] = before === undefined ? subtree : merge(before, subtree)
    }
  }
  return merged
}
