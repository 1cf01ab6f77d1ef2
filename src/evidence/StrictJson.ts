/**
 * JSON for evidence: a text has one reading or none.
 *
 * `JSON.parse` keeps the last of two members of one name, rounds numbers, turns `1e999` into infinity and takes lone
 * surrogates; the engine of Node 24.21 even misreads some escaped names. Other verifiers read such texts otherwise, so
 * evidence that depends on the reader is refused here, with the place of the problem.
 */

/** The value of a text, or why it has none. */
export type StrictJson =
  | { readonly _tag: "Value"; readonly value: unknown }
  | {
      readonly _tag: "Problem"
      /** Where the problem is: `input.rows[3].id`; empty for the text itself. */
      readonly path: string
      /** A sentence without a subject: `has the name "a" twice`. */
      readonly message: string
      /** Where in the text, in UTF-16 code units. */
      readonly offset: number
    }

/** What a reader refuses beyond what is ambiguous. */
export interface StrictOptions {
  /** Whether integers beyond 2^53 and decimals that a double cannot hold to the digit are refused. Default false. */
  readonly exactNumbers?: boolean | undefined
}

/** Deeper texts are refused. */
export const maxDepth = 1_000

class Refusal {
  readonly path: string
  readonly message: string
  readonly offset: number
  constructor(path: string, message: string, offset: number) {
    this.path = path
    this.message = message
    this.offset = offset
  }
}

const numberForm = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const plainText = /[^"\\\u0000-\u001f]*/y
const space = /[ \t\n\r]*/y
const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t"
}
const words: ReadonlyArray<readonly [word: string, value: boolean | null]> = [
  ["true", true],
  ["false", false],
  ["null", null]
]

/** The digits of a number without sign, point, leading and closing zeros, and where the point is among them. */
const digitsOf = (text: string): string => {
  const [mantissa = "", exponent = "0"] = text.toLowerCase().replace("-", "").split("e")
  const [whole = "", fraction = ""] = mantissa.split(".")
  const digits = (whole + fraction).replace(/^0+/, "")
  if (digits === "") return "0"
  const leading = (whole + fraction).length - digits.length
  return `${digits.replace(/0+$/, "")}@${whole.length - leading + Number(exponent)}`
}

class Reader {
  #at = 0
  readonly #text: string
  readonly #exactNumbers: boolean

  constructor(text: string, exactNumbers: boolean) {
    this.#text = text
    this.#exactNumbers = exactNumbers
  }

  read(): unknown {
    if (this.#text.startsWith("\ufeff")) throw new Refusal("", "begins with a byte order mark", 0)
    const value = this.#value("", 0)
    this.#skipSpace()
    if (this.#at < this.#text.length) throw this.#problem("", "goes on after its value")
    return value
  }

  #problem(path: string, message: string, at = this.#at): Refusal {
    return new Refusal(path, message, at)
  }

  #match(form: RegExp): string {
    form.lastIndex = this.#at
    const found = form.exec(this.#text)?.[0] ?? ""
    this.#at += found.length
    return found
  }

  #skipSpace(): void {
    this.#match(space)
  }

  /** Whether this character comes next; if so it is read. */
  #takes(character: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #value(path: string, depth: number): unknown {
    if (depth > maxDepth) throw this.#problem(path, `is nested deeper than ${maxDepth} levels`)
    if (this.#takes("{")) return this.#object(path, depth)
    if (this.#takes("[")) return this.#array(path, depth)
    if (this.#text[this.#at] === '"') return this.#string(path)
    for (const [word, value] of words) {
      if (!this.#text.startsWith(word, this.#at)) continue
      this.#at += word.length
      return value
    }
    return this.#number(path)
  }

  #object(path: string, depth: number): unknown {
    const members: Record<string, unknown> = {}
    if (this.#takes("}")) return members
    do {
      this.#skipSpace()
      if (this.#text[this.#at] !== '"') throw this.#problem(path, "has a member without a name")
      const start = this.#at
      const name = this.#string(path)
      const place = path === "" ? name : `${path}.${name}`
      if (Object.hasOwn(members, name)) {
        throw this.#problem(path, `has the name ${JSON.stringify(name)} twice`, start)
      }
      if (!this.#takes(":")) throw this.#problem(place, "has no value")
      // An assignment to `__proto__` would change the object instead.
      Object.defineProperty(members, name, {
        value: this.#value(place, depth + 1),
        configurable: true,
        enumerable: true,
        writable: true
      })
    } while (this.#takes(","))
    if (!this.#takes("}")) throw this.#problem(path, "is cut off or not JSON")
    return members
  }

  #array(path: string, depth: number): unknown {
    const items: Array<unknown> = []
    if (this.#takes("]")) return items
    do items.push(this.#value(`${path}[${items.length}]`, depth + 1))
    while (this.#takes(","))
    if (!this.#takes("]")) throw this.#problem(path, "is cut off or not JSON")
    return items
  }

  #string(path: string): string {
    const start = this.#at++
    let text = this.#match(plainText)
    while (this.#text[this.#at] === "\\") {
      text += this.#escape(path)
      text += this.#match(plainText)
    }
    if (this.#text[this.#at] !== '"') throw this.#problem(path, "has a text that is cut off or has a control character")
    this.#at++
    if (loneSurrogate.test(text)) throw this.#problem(path, "has half a character (a lone surrogate)", start)
    return text
  }

  #escape(path: string): string {
    const letter = this.#text[this.#at + 1] ?? ""
    const plain = escapes[letter]
    if (plain !== undefined) {
      this.#at += 2
      return plain
    }
    const digits = this.#text.slice(this.#at + 2, this.#at + 6)
    if (letter !== "u" || !/^[0-9a-fA-F]{4}$/.test(digits))
      throw this.#problem(path, "has an escape that JSON does not know")
    this.#at += 6
    return String.fromCharCode(Number.parseInt(digits, 16))
  }

  #number(path: string): number {
    const start = this.#at
    const text = this.#match(numberForm)
    if (text === "") throw this.#problem(path, "is cut off or not JSON")
    const value = Number(text)
    if (!Number.isFinite(value))
      throw this.#problem(path, `is ${text}, larger than any number that JSON readers share`, start)
    if (this.#exactNumbers && digitsOf(text) !== digitsOf(String(value))) {
      throw this.#problem(path, `is ${text}, which a double rounds to ${value}: write it as text`, start)
    }
    return value
  }
}

/**
 * Reads a JSON text strictly. Never throws.
 *
 * **Example**
 *
 * ```ts
 * parseStrict('{"a":1,"a":2}') // { _tag: "Problem", path: "", message: 'has the name "a" twice', offset: 7 }
 * ```
 */
export const parseStrict = (text: string, { exactNumbers = false }: StrictOptions = {}): StrictJson => {
  try {
    return { _tag: "Value", value: new Reader(text, exactNumbers).read() }
  } catch (cause) {
    if (cause instanceof Refusal) {
      return { _tag: "Problem", path: cause.path, message: cause.message, offset: cause.offset }
    }
    return { _tag: "Problem", path: "", message: "could not be read", offset: 0 }
  }
}

/**
 * The value that `JSON.parse` should answer: read strictly where the text has one reading, which avoids the engine's
 * misreading of escaped names, else by the engine. Throws what `JSON.parse` throws.
 */
export const parseLeniently = (text: string): unknown => {
  const read = parseStrict(text)
  return read._tag === "Value" ? read.value : JSON.parse(text)
}
