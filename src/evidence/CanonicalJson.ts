/**
 * Turns a caller's object into canonical JSON text (RFC 8785) in one pass that validates, orders and writes.
 *
 * Keys are sorted by UTF-16 code units at every depth, so the text, and with it the ledger's hash, does not depend on the
 * order in which the application wrote them. Values that JSON would silently change or lose (`NaN`, a `Map`, a function,
 * `undefined` in an array, ...) are refused with the path to each. The text is a snapshot: later mutation changes nothing.
 *
 * The happy path keeps no paths and allocates no error state; only when it meets a problem does a second walk collect
 * all problems with their paths. That, and refusing what JSON would lose, is why this is not the `canonicalize` package,
 * which a property test holds as the oracle; `npm run bench` compares the two.
 */
import type { Issue } from "../XaseError.ts"

/** JSON text that is already canonical: written as it is. */
export class CanonicalText {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** What to hide: `true` hides the value, a tree hides inside it; the key `*` stands for every key and array element. */
export type RedactionTree = true | { readonly [key: string]: RedactionTree }

/** What a hidden value is recorded as. */
export const redacted = "[REDACTED]"

/** Objects nested deeper than this are refused. The ledger itself fails at about 5,000. */
export const maxDepth = 1_000

/** More problems than this in one object are not listed: a caller who sent a million NaN reads the first hundred. */
const maxIssues = 100

/**
 * More values than this in one object are refused, however small: objects that are shared within themselves grow
 * exponentially when they are written, and no limit of bytes would be noticed before they are.
 */
export const maxValues = 1_000_000

const tooManyValues = `holds more than ${maxValues} values, shared ones counted each time: send a reference or a hash`

/** What is left of {@link maxValues} for the object that is being written. */
let valuesLeft = 0

/** Members that an object gets unless it has them itself. */
export type DefaultMembers = { readonly [key: string]: CanonicalText }

/** The canonical text of an object, or every problem that keeps it from having one. */
export type Canonical =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Problems"; readonly issues: ReadonlyArray<Issue> }

/**
 * Writes `value`, which must be an object and not an array, as canonical JSON. `path` starts the paths of its issues;
 * `defaults` are members that it gets unless it has them itself. Never throws: a throwing getter or `toJSON` is a problem
 * like any other.
 *
 * **Example**
 *
 * ```ts
 * write({ b: 1, a: [true, null] }, "input") // => { _tag: "Text", text: '{"a":[true,null],"b":1}' }
 * write({ a: { rate: NaN } }, "input")      // => Problems: input.a.rate: is NaN, which JSON cannot hold: ...
 * ```
 */
export const write = (value: object, path: string, redaction?: RedactionTree, defaults?: DefaultMembers): Canonical => {
  const budgetOfCaller = valuesLeft
  valuesLeft = maxValues
  let text: string | undefined
  try {
    text = writeValue(value, 0, redaction, defaults)
  } catch {
    text = undefined
  }
  const isTooLarge = valuesLeft < 0
  // A getter may record another decision while this one is being written.
  valuesLeft = budgetOfCaller
  if (isTooLarge) return { _tag: "Problems", issues: [{ path, message: tooManyValues }] }
  if (text?.startsWith("{")) return { _tag: "Text", text }
  if (text !== undefined) {
    return { _tag: "Problems", issues: [{ path, message: "must be an object, but its toJSON gives something else" }] }
  }
  const issues: Array<Issue> = []
  collectIssues(value, path, redaction, { ancestors: new Set(), clean: new Map() }, issues)
  if (issues.length === 0) {
    issues.push({ path, message: "could not be read twice in the same way: hand over plain data, not live objects" })
  }
  return { _tag: "Problems", issues }
}

// Most strings of a decision are short and plain: looking at them costs less than asking `JSON.stringify`, which quotes
// and escapes as RFC 8785 demands as long as the string is well formed.
const longestInspected = 48

const isPlainText = (text: string): boolean => {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x20 || unit === 0x22 || unit === 0x5c || (unit >= 0xd800 && unit <= 0xdfff)) return false
  }
  return true
}

const quote = (text: string): string | undefined => {
  if (text.length <= longestInspected && isPlainText(text)) return `"${text}"`
  return text.isWellFormed() ? JSON.stringify(text) : undefined
}

/** Keys recur from decision to decision, so their quoted form is kept; data used as keys must not fill the memory. */
const quotedKeys = new Map<string, string>()
const maxQuotedKeys = 2_000

const quoteKey = (key: string): string | undefined => {
  const known = quotedKeys.get(key)
  if (known !== undefined) return known
  const quoted = quote(key)
  if (quoted !== undefined && key.length <= longestInspected && quotedKeys.size < maxQuotedKeys) {
    quotedKeys.set(key, quoted)
  }
  return quoted
}

const childRedaction = (redaction: RedactionTree | undefined, key: string): RedactionTree | undefined =>
  redaction === undefined || redaction === true
    ? undefined
    : Object.hasOwn(redaction, key)
      ? redaction[key]
      : redaction["*"]

/** `undefined` means: there is a problem somewhere in here. */
const writeValue = (
  value: unknown,
  depth: number,
  redaction: RedactionTree | undefined,
  defaults?: DefaultMembers
): string | undefined => {
  if (redaction === true) return `"${redacted}"`
  if (--valuesLeft < 0) return undefined
  switch (typeof value) {
    case "string":
      return quote(value)
    case "number":
      return Number.isFinite(value) ? `${value === 0 ? 0 : value}` : undefined
    case "boolean":
      return value ? "true" : "false"
    case "object": {
      if (value === null) return "null"
      if (depth >= maxDepth) return undefined
      if (Array.isArray(value)) return writeArray(value, depth, redaction)
      if (isPlainObject(value)) return writeMembers(value, Object.keys(value), depth, redaction, defaults)
      return writeInstance(value, depth, redaction, defaults)
    }
    default:
      return undefined
  }
}

const toJsonOf = (value: object, toJSON: unknown): unknown =>
  typeof toJSON === "function" && !isInvalidDate(value) ? toJSON.call(value) : undefined

/** Also a date of another realm (`node:vm`, Jest), which is no instance of this one's `Date`. */
const isInvalidDate = (value: object): boolean => {
  if (!(value instanceof Date) && Object.prototype.toString.call(value) !== "[object Date]") return false
  try {
    return Number.isNaN(Date.prototype.getTime.call(value))
  } catch {
    return false
  }
}

interface Indexable {
  readonly [key: string]: unknown
}

/** Says to the compiler what every object is. */
const isIndexable = (value: object): value is Indexable => value !== undefined

const isPlainObject = (value: object): value is Indexable => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || isObjectPrototype(prototype)
}

/** Whether this is `Object.prototype` of another realm. */
const isObjectPrototype = (prototype: unknown): boolean =>
  typeof prototype === "object" &&
  prototype !== null &&
  Object.getPrototypeOf(prototype) === null &&
  Object.hasOwn(prototype, "isPrototypeOf")

const writeArray = (
  values: ReadonlyArray<unknown>,
  depth: number,
  redaction: RedactionTree | undefined
): string | undefined => {
  let text = "["
  for (let index = 0; index < values.length; index++) {
    const item = writeValue(
      values[index],
      depth + 1,
      redaction === undefined ? undefined : childRedaction(redaction, String(index))
    )
    if (item === undefined) return undefined
    text += index === 0 ? item : `,${item}`
  }
  return `${text}]`
}

/** Whatever is no plain object: something that has a JSON form of its own, or shows its data as own keys. */
const writeInstance = (
  value: object,
  depth: number,
  redaction: RedactionTree | undefined,
  defaults: DefaultMembers | undefined
): string | undefined => {
  if (value instanceof CanonicalText) return value.text
  if ("toJSON" in value && typeof value.toJSON === "function") {
    const replaced = toJsonOf(value, value.toJSON)
    if (replaced !== value) return writeValue(replaced, depth + 1, redaction, defaults)
  }
  const keys = Object.keys(value)
  return isIndexable(value) && isRecordable(value, keys)
    ? writeMembers(value, keys, depth, redaction, defaults)
    : undefined
}

const writeMembers = (
  value: Indexable,
  keys: Array<string>,
  depth: number,
  redaction: RedactionTree | undefined,
  defaults: DefaultMembers | undefined
): string | undefined => {
  if (keys.length === 0 && Object.getOwnPropertySymbols(value).length > 0) return undefined
  if (defaults !== undefined) {
    for (const key of Object.keys(defaults)) {
      if (!Object.hasOwn(value, key)) keys.push(key)
    }
  }
  const { names, sorted } = shapeOf(keys)
  let text = "{"
  for (let index = 0; index < sorted.length; index++) {
    const key = sorted[index] ?? ""
    const member = defaults === undefined || Object.hasOwn(value, key) ? value[key] : defaults[key]
    if (member === undefined) continue
    if (typeof member === "function" && key === "toJSON") {
      return writeValue(toJsonOf(value, member), depth + 1, redaction, defaults)
    }
    const name = names[index]
    if (name === undefined) return undefined
    const item = writeValue(member, depth + 1, redaction === undefined ? undefined : childRedaction(redaction, key))
    if (item === undefined) return undefined
    text += text.length === 1 ? name + item : `,${name}${item}`
  }
  return `${text}}`
}

/** The keys of an object in canonical order, and each as it is written. */
interface Shape {
  /** In the order in which the object has them. */
  readonly keys: ReadonlyArray<string>
  readonly sorted: ReadonlyArray<string>
  /** Quoted, with the colon; `undefined` for those that cannot be written. */
  readonly names: ReadonlyArray<string | undefined>
}

/**
 * The last shape that began with a key. Decisions of one policy have the same shapes again and again; comparing their keys,
 * which are the same strings, costs a fraction of sorting and quoting them.
 */
const shapes = new Map<string, Shape>()
const maxShapes = 2_000
const maxShapeKeys = 64

const hasKeys = (shape: Shape, keys: ReadonlyArray<string>): boolean => {
  if (shape.keys.length !== keys.length) return false
  for (let index = 0; index < keys.length; index++) if (shape.keys[index] !== keys[index]) return false
  return true
}

const shapeOf = (keys: ReadonlyArray<string>): Shape => {
  const first = keys[0] ?? ""
  const known = shapes.get(first)
  if (known !== undefined && hasKeys(known, keys)) return known
  const sorted = sortedKeys(keys)
  const names = sorted.map((key) => {
    const name = key === "__proto__" ? undefined : quoteKey(key)
    return name === undefined ? undefined : `${name}:`
  })
  const shape = { keys, sorted, names }
  const isKept = keys.length <= maxShapeKeys && first.length <= longestInspected
  if (isKept && (known !== undefined || shapes.size < maxShapes)) shapes.set(first, shape)
  return shape
}

/** Often they are in order already: checking is cheaper than sorting. */
const sortedKeys = (keys: ReadonlyArray<string>): ReadonlyArray<string> => {
  for (let index = 1; index < keys.length; index++) {
    const previous = keys[index - 1]
    const current = keys[index]
    if (previous !== undefined && current !== undefined && previous > current) return keys.toSorted()
  }
  return keys
}

/** Kinds of objects whose data is not in their own keys, whatever keys they have besides. */
const lossyKinds: ReadonlySet<string> = new Set([
  ..."Map Set WeakMap WeakSet WeakRef Promise RegExp Error ArrayBuffer SharedArrayBuffer DataView Date".split(" "),
  ..."String Number Boolean Symbol BigInt Function Generator AsyncGenerator Arguments Window".split(" "),
  ..."Int8 Uint8 Uint8Clamped Int16 Uint16 Int32 Uint32 Float16 Float32 Float64 BigInt64 BigUint64"
    .split(" ")
    .map((element) => `${element}Array`)
])

/** Whether JSON shows the data of the object, instead of turning it into `{}`. */
const isRecordable = (value: object, keys: ReadonlyArray<string>): boolean =>
  isPlainObject(value)
    ? keys.length > 0 || Object.getOwnPropertySymbols(value).length === 0
    : keys.length > 0 && !lossyKinds.has(Object.prototype.toString.call(value).slice(8, -1))

const pathOf = (path: string, key: string): string =>
  /^[A-Za-z_$][\w$]*$/.test(key) ? (path === "" ? key : `${path}.${key}`) : `${path}[${JSON.stringify(key)}]`

/** A walk through a value in search of problems. */
interface Walk {
  readonly ancestors: Set<object>
  /**
   * Objects without problems, with the depth at which that was found. Objects that share parts have exponentially many
   * paths: each part is looked at once, unless it has a problem, and those are bounded.
   */
  readonly clean: Map<object, number>
}

const collectIssues = (
  value: unknown,
  path: string,
  redaction: RedactionTree | undefined,
  walk: Walk,
  issues: Array<Issue>
): void => {
  const problem = (message: string): void => report(issues, path, message)
  if (redaction === true || issues.length >= maxIssues) return
  switch (typeof value) {
    case "boolean":
      return
    case "string":
      if (!value.isWellFormed()) problem("has a lone surrogate, which has no UTF-8 form: repair the text")
      return
    case "number":
      if (!Number.isFinite(value)) problem(`is ${value}, which JSON cannot hold: send null, leave it out or send text`)
      return
    case "bigint":
      return problem("is a BigInt, which JSON cannot hold: send String(value) or a safe number")
    case "undefined":
      return problem("is undefined inside an array, which JSON would turn into null: send null or leave it out")
    case "function":
      return problem("is a function, which JSON would leave out: send data only")
    case "symbol":
      return problem("is a symbol, which JSON would leave out: send its description as text")
    case "object":
      break
  }
  if (value === null) return
  const { ancestors, clean } = walk
  if (ancestors.has(value)) return problem("is part of a cycle: an object may not contain itself")
  if (ancestors.size >= maxDepth) return problem(`is nested deeper than ${maxDepth} levels: flatten it`)
  if (redaction === undefined && ancestors.size <= (clean.get(value) ?? -1)) return
  const before = issues.length
  ancestors.add(value)
  try {
    collectFromObject(value, path, redaction, walk, issues)
  } catch (cause) {
    problem(`could not be read: its toJSON or a trap threw ${nameOfThrown(cause)}`)
  }
  ancestors.delete(value)
  if (redaction === undefined && issues.length === before) clean.set(value, ancestors.size)
}

const report = (issues: Array<Issue>, path: string, message: string): void => {
  if (issues.length < maxIssues) issues.push({ path, message })
}

/** May throw what the getters, traps and `toJSON` of `value` itself throw; what is inside of it is caught there. */
const collectFromObject = (
  value: object,
  path: string,
  redaction: RedactionTree | undefined,
  walk: Walk,
  issues: Array<Issue>
): void => {
  if (value instanceof CanonicalText) return
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length && issues.length < maxIssues; index++) {
      collectIssues(value[index], `${path}[${index}]`, childRedaction(redaction, String(index)), walk, issues)
    }
    return
  }
  if ("toJSON" in value && typeof value.toJSON === "function") {
    const replaced = toJsonOf(value, value.toJSON)
    if (replaced === undefined)
      return report(issues, path, "has no JSON form (is it an invalid date?): send valid data")
    if (replaced !== value) return collectIssues(replaced, path, redaction, walk, issues)
  }
  const keys = Object.keys(value)
  if (!isRecordable(value, keys)) {
    const problem = `is ${kindOf(value)}, which JSON would turn into {}: send a plain object or an array`
    return report(issues, path, problem)
  }
  for (const key of keys) {
    if (issues.length >= maxIssues) return
    if (key === "__proto__") {
      report(issues, `${path}["__proto__"]`, "is a reserved key that would be lost: rename it")
      continue
    }
    const at = pathOf(path, key)
    if (!key.isWellFormed()) {
      report(issues, at, "has a lone surrogate in its name, which has no UTF-8 form: repair the name")
    }
    let member: unknown
    try {
      member = Reflect.get(value, key)
    } catch (cause) {
      report(issues, at, `could not be read: its getter threw ${nameOfThrown(cause)}`)
      continue
    }
    if (member !== undefined) collectIssues(member, at, childRedaction(redaction, key), walk, issues)
  }
}

/** What to call something that was thrown. The message of a foreign error may quote the payload, so only its name is told. */
export const nameOfThrown = (cause: unknown): string => {
  try {
    return cause instanceof Error ? String(cause.name) : "a value that is no Error"
  } catch {
    return "a value that cannot be read"
  }
}

const kindOf = (value: object): string => {
  const tag = Object.prototype.toString.call(value).slice(8, -1)
  if (tag !== "Object") return withArticle(tag)
  if (Object.getOwnPropertySymbols(value).length > 0) return "an object with symbol keys only"
  const constructor: unknown = Reflect.get(value, "constructor")
  const name: unknown = typeof constructor === "function" ? constructor.name : undefined
  return `${withArticle(typeof name === "string" && name !== "" ? name : "object")} without own keys`
}

const withArticle = (noun: string): string => `${/^[aeio]/i.test(noun) ? "an" : "a"} ${noun}`
