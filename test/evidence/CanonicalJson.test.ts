import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import canonicalize from "canonicalize"
import { Arbitrary, Result } from "effect"
import type { Decision } from "../../src/decision/Decision.ts"
import * as Redaction from "../../src/decision/Redaction.ts"
import { CanonicalText, maxDepth, type RedactionTree, write } from "../../src/evidence/CanonicalJson.ts"
import { json, jsonObject, seeded, text } from "../support/arbitraries.ts"

const textOf = (value: object, redaction?: RedactionTree): string => {
  const written = write(value, "input", redaction)
  return written._tag === "Text" ? written.text : assert.fail(JSON.stringify(written.issues))
}

const issuesOf = (value: object, redaction?: RedactionTree) => {
  const written = write(value, "input", redaction)
  return written._tag === "Problems" ? written.issues : assert.fail(`was written as ${written.text.slice(0, 200)}`)
}

const pathsOf = (value: object): ReadonlyArray<string> => issuesOf(value).map((issue) => issue.path)

/** The one problem of a value, as `path message`. */
const problemOf = (value: object): string => {
  const [issue, ...more] = issuesOf(value)
  assert.deepStrictEqual(more, [])
  return issue === undefined ? assert.fail() : `${issue.path} ${issue.message}`
}

const redactions = (...paths: ReadonlyArray<string>): Redaction.Redactions =>
  Result.getOrThrow(Redaction.compile(paths))

const nested = (depth: number, innermost: unknown): object => {
  let value = innermost
  for (let level = 0; level < depth; level++) value = { a: value }
  return value as object
}

class Money {
  readonly amount: number
  readonly currency = "EUR"
  constructor(amount: number) {
    this.amount = amount
  }
}

describe("canonical text", () => {
  it.prop(
    "is RFC 8785, as the package canonicalize writes it",
    { value: jsonObject },
    ({ value }) => assert.strictEqual(textOf(value), canonicalize(value)),
    seeded(2_000)
  )

  it.prop(
    "does not depend on the order in which keys were added",
    { members: Arbitrary.array(Arbitrary.all([text, json])) },
    ({ members }) => {
      const unique = [...new Map(members.filter(([key]) => key !== "__proto__"))]
      assert.strictEqual(textOf(Object.fromEntries(unique.reverse())), textOf(Object.fromEntries(unique.reverse())))
    },
    seeded(200)
  )

  it("sorts by UTF-16 code units, integer-like keys too", () => {
    const value = { "\u{1f600}": 1, "\ufb33": 2, "9": 3, "10": 4, a: 5, A: 6, "": 7, é: 8 }
    assert.strictEqual(textOf(value), '{"":7,"10":4,"9":3,"A":6,"a":5,"é":8,"\u{1f600}":1,"\ufb33":2}')
  })

  it("is a snapshot: later mutation changes nothing (R30)", () => {
    const value = { list: [1, { deep: true }] }
    const before = textOf(value)
    value.list.push(2)
    assert.strictEqual(before, '{"list":[1,{"deep":true}]}')
  })

  const accepted: ReadonlyArray<readonly [what: string, value: unknown, text: string]> = [
    ["a date", new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [
      "a proxy that throws when searched, which nobody does",
      new Proxy(
        { a: 1 },
        {
          has: () => {
            throw new RangeError("4111")
          }
        }
      ),
      '{"a":1}'
    ],
    ["a URL", new URL("https://a.example/x?y=1"), '"https://a.example/x?y=1"'],
    ["a class instance", new Money(7), '{"amount":7,"currency":"EUR"}'],
    ["an object without prototype", Object.assign(Object.create(null), { b: 1, a: 2 }), '{"a":2,"b":1}'],
    ["an object that hides in its toJSON", { secret: 1, toJSON: () => ({ shown: 2 }) }, '{"shown":2}'],
    ["a toJSON that gives the object itself", { a: 1, b: undefined, toJSON: undefined }, '{"a":1}'],
    ["an own key called toJSON that is data", { toJSON: "text" }, '{"toJSON":"text"}'],
    ["minus zero", -0, "0"],
    ["an empty array and an empty object", [[], {}], "[[],{}]"],
    ["a transparent proxy", new Proxy({ a: [1] }, {}), '{"a":[1]}'],
    ["the same object twice, which is no cycle", ((shared) => [shared, shared])({ a: 1 }), '[{"a":1},{"a":1}]'],
    ["an object that is frozen", Object.freeze({ a: Object.freeze([1]) }), '{"a":[1]}'],
    ["undefined members, left out", { a: undefined, b: null }, '{"b":null}'],
    ["a buffer, by its toJSON", Buffer.from([1, 2]), '{"data":[1,2],"type":"Buffer"}'],
    [
      "keys that objects inherit",
      { constructor: 1, hasOwnProperty: 2, toString: 3 },
      '{"constructor":1,"hasOwnProperty":2,"toString":3}'
    ]
  ]

  it.each(accepted)("takes %s", (_, value, text) => assert.strictEqual(textOf({ value }), `{"value":${text}}`))

  it("takes objects that are nested as deep as is allowed", () => {
    assert.strictEqual(textOf(nested(maxDepth, 1)), `${'{"a":'.repeat(maxDepth)}1${"}".repeat(maxDepth)}`)
  })

  it("writes what toJSON gives for the whole object", () => {
    assert.strictEqual(textOf({ toJSON: () => ({ b: 1, a: 2 }) }), '{"a":2,"b":1}')
    for (const replaced of ["text", [1], 5, null, true]) {
      assert.include(problemOf({ toJSON: () => replaced }), "input must be an object, but its toJSON")
    }
  })
})

describe("poison is named by its path, never written as {} or null (R29)", () => {
  const cyclic: { self?: unknown; list: Array<unknown> } = { list: [] }
  cyclic.self = cyclic
  const cyclicList = [[1]] as Array<unknown>
  cyclicList[0] = cyclicList
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const trap = (name: keyof ProxyHandler<object>) =>
    new Proxy(
      { a: 1 },
      {
        [name]: () => {
          throw new RangeError("4111 1111 1111 1111")
        }
      }
    )
  const throwing = (thrown: unknown) => ({
    get x() {
      throw thrown
    }
  })

  const poisons: ReadonlyArray<readonly [what: string, value: unknown, path: string, problem: string]> = [
    ["a BigInt", 1n, "", "is a BigInt"],
    ["NaN", Number.NaN, "", "is NaN"],
    ["Infinity", Number.POSITIVE_INFINITY, "", "is Infinity"],
    ["-Infinity", Number.NEGATIVE_INFINITY, "", "is -Infinity"],
    ["a function", () => 1, "", "is a function"],
    ["a class", Money, "", "is a function"],
    ["a symbol", Symbol("s"), "", "is a symbol"],
    ["a Map", new Map([["a", 1]]), "", "is a Map"],
    ["a Map with own keys", Object.assign(new Map(), { a: 1 }), "", "is a Map"],
    ["a Set", new Set([1]), "", "is a Set"],
    ["a WeakMap", new WeakMap(), "", "is a WeakMap"],
    ["a typed array", new Uint8Array([1, 2]), "", "is a Uint8Array"],
    ["an ArrayBuffer", new ArrayBuffer(8), "", "is an ArrayBuffer"],
    ["an Error", new Error("no"), "", "is an Error"],
    ["an Error with own keys", Object.assign(new Error("no"), { code: 1 }), "", "is an Error"],
    ["a RegExp", /x/, "", "is a RegExp"],
    ["a Promise", Promise.resolve(1), "", "is a Promise"],
    ["a boxed number", Object(1), "", "is a Number"],
    ["a boxed string", Object("ab"), "", "is a String"],
    ["a boxed boolean", Object(true), "", "is a Boolean"],
    ["a boxed BigInt", Object(1n), "", "is a BigInt"],
    ["a boxed symbol", Object(Symbol("s")), "", "is a Symbol"],
    ["an instance without own keys", new (class Empty {})(), "", "is an Empty without own keys"],
    [
      "an instance with private state only",
      new (class Private {
        #x = 1
        get x() {
          return this.#x
        }
      })(),
      "",
      "is a Private"
    ],
    ["an object with symbol keys only", { [Symbol("s")]: 1 }, "", "is an object with symbol keys only"],
    ["an invalid date", new Date(Number.NaN), "", "has no JSON form"],
    ["a toJSON that gives nothing", { toJSON: () => undefined }, "", "has no JSON form"],
    ["a toJSON that gives a function", { toJSON: () => () => 1 }, "", "is a function"],
    [
      "a toJSON that throws",
      {
        toJSON: () => {
          throw new RangeError("secret")
        }
      },
      "",
      "toJSON or a trap threw RangeError"
    ],
    [
      "a toJSON that never ends",
      (function endless(): object {
        return { toJSON: endless }
      })(),
      "",
      "nested deeper"
    ],
    ["a lone high surrogate", "a\ud800", "", "has a lone surrogate"],
    ["a lone low surrogate", "\udc00b", "", "has a lone surrogate"],
    ["reversed surrogates", "\udc00\ud800", "", "has a lone surrogate"],
    ["a lone surrogate in a key", { "k\ud800": 1 }, '["k\\ud800"]', "has a lone surrogate in its name"],
    ["undefined in an array", [1, undefined], "[1]", "is undefined inside an array"],
    ["a hole in an array", Object.assign([], { 1: 1 }), "[0]", "is undefined inside an array"],
    ["a throwing getter", throwing(new RangeError("4111")), ".x", "its getter threw RangeError"],
    ["a getter that throws no error", throwing("4111"), ".x", "its getter threw a value that is no Error"],
    [
      "a getter that throws what cannot be read",
      throwing(trap("getPrototypeOf")),
      ".x",
      "its getter threw a value that cannot be read"
    ],
    ["a cycle", cyclic, ".self", "is part of a cycle"],
    ["a cycle of arrays", cyclicList, "[0]", "is part of a cycle"],
    ["an own __proto__", JSON.parse('{"__proto__":{"isAdmin":true}}'), '["__proto__"]', "is a reserved key"],
    ["an own __proto__ further down", JSON.parse('{"b":[{"__proto__":1}]}'), '.b[0]["__proto__"]', "is a reserved key"],
    ["a revoked proxy", revoked.proxy, "", "could not be read"],
    [
      "a proxy that throws when listed",
      trap("ownKeys"),
      "",
      "could not be read: its toJSON or a trap threw RangeError"
    ],
    ["a proxy that throws when described", trap("getOwnPropertyDescriptor"), "", "could not be read"],
    ["a proxy that throws when asked what it is", trap("getPrototypeOf"), "", "could not be read"],
    ["a proxy that throws when read", trap("get"), ".a", "could not be read: its getter threw RangeError"],
    [
      "a tag that throws",
      new (class {
        a = 1
        get [Symbol.toStringTag](): string {
          throw new Error("4111")
        }
      })(),
      "",
      "could not be read"
    ],
    [
      "a class whose name is no text",
      new (class {
        static name = Symbol("s")
        #hidden = 1
        get shown() {
          return this.#hidden
        }
      })(),
      "",
      "is an object without own keys"
    ],
    [
      "a constructor that throws",
      Object.create({
        get constructor() {
          throw new Error("4111")
        }
      }),
      "",
      "could not be read"
    ]
  ]

  it.each(poisons)("%s", (_, value, path, problem) => {
    for (const [where, object] of [
      ["input.value", { value }],
      ["input.list[1]", { list: [0, value] }],
      ['input["odd key"].deep', { "odd key": { deep: value, fine: 1 } }],
      ["input.again", { toJSON: () => ({ again: value }) }]
    ] as const) {
      const found = problemOf(object)
      assert.isTrue(found.startsWith(`${where}${path} `), found)
      assert.include(found, problem)
      assert.notInclude(found, "4111")
    }
  })

  it("as the whole object too", () => {
    assert.include(problemOf(new Map([["a", 1]])), "input is a Map")
    assert.include(problemOf(revoked.proxy), "input could not be read")
    assert.include(problemOf(trap("ownKeys")), "input could not be read")
    assert.include(problemOf(new Date(Number.NaN)), "input has no JSON form")
    assert.include(problemOf(JSON.parse('{"__proto__":1}')), 'input["__proto__"] is a reserved key')
    assert.include(problemOf(cyclic), "input.self is part of a cycle")
  })

  it("depth 20,000, in objects, in arrays and through toJSON", () => {
    let arrays: Array<unknown> = []
    for (let level = 0; level < 20_000; level++) arrays = [arrays]
    let objects: object = {}
    for (let level = 0; level < 20_000; level++) {
      const inner = objects
      objects = { toJSON: () => inner }
    }
    assert.include(problemOf(nested(20_000, 1)), `nested deeper than ${maxDepth} levels`)
    assert.include(problemOf({ arrays }), `nested deeper than ${maxDepth} levels`)
    assert.include(problemOf({ objects }), `nested deeper than ${maxDepth} levels`)
    assert.strictEqual(pathsOf(nested(maxDepth, {}))[0], `input${".a".repeat(maxDepth)}`)
  })

  it("reads a getter that heals itself as what it is: no stable data", () => {
    let reads = 0
    const value = {
      get x() {
        if (reads++ === 0) throw new Error("first")
        return 1
      }
    }
    assert.include(problemOf(value), "input could not be read twice in the same way")
  })

  it.prop(
    "wherever it is in a JSON value",
    { path: Arbitrary.array(text, { maxLength: 5 }), siblings: jsonObject },
    ({ path, siblings }) => {
      const keys = path.filter((key) => key !== "__proto__")
      const value = keys.reduceRight<object>((inner, key) => ({ ...siblings, [key]: inner }), { poison: 1n })
      const expected = keys
        .map((key) => (/^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`))
        .join("")
      assert.deepStrictEqual(pathsOf(value), [`input${expected}.poison`])
    },
    seeded(200)
  )
})

describe("many problems", () => {
  it("are told at once, in the order of the object", () => {
    const value = { b: [1n, { c: Number.NaN }], a: undefined, s: "\ud800", m: new Map() }
    assert.deepStrictEqual(pathsOf(value), ["input.b[0]", "input.b[1].c", "input.s", "input.m"])
  })

  it("end with the hundredth, whatever they are", () => {
    const getters = Object.defineProperties(
      {},
      Object.fromEntries(
        Array.from({ length: 300 }, (_, n) => [
          `k${n}`,
          {
            enumerable: true,
            get: () => {
              throw new Error()
            }
          }
        ])
      )
    )
    const names = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`\ud800${n}`, 1]))
    for (const value of [
      { list: Array(300).fill(1n) },
      getters,
      names,
      { a: Array(60).fill(1n), b: Array(60).fill(1n) }
    ]) {
      assert.strictEqual(issuesOf(value).length, 100)
    }
  })

  it("end there without looking further, also in the longest array that there can be", () => {
    assert.strictEqual(issuesOf({ list: new Array(2 ** 32 - 1) }).length, 100)
  })
})

describe("defaults", () => {
  const defaults = { env: new CanonicalText('"test"'), pid: new CanonicalText("7") }
  const written = (value: object, redaction?: RedactionTree) => write(value, "context", redaction, defaults)

  it("are merged under the object's own members, sorted with them", () => {
    assert.deepStrictEqual(written({ z: 1, pid: 8, a: 2 }), {
      _tag: "Text",
      text: '{"a":2,"env":"test","pid":8,"z":1}'
    })
    assert.deepStrictEqual(written({}), { _tag: "Text", text: '{"env":"test","pid":7}' })
  })

  it("are merged under what toJSON gives", () => {
    assert.deepStrictEqual(written({ toJSON: () => ({ pid: 8 }) }), { _tag: "Text", text: '{"env":"test","pid":8}' })
  })

  it("stay out of nested objects", () => {
    assert.deepStrictEqual(written({ nested: {} }), { _tag: "Text", text: '{"env":"test","nested":{},"pid":7}' })
  })

  it("are not taken from a prototype of the object", () => {
    assert.deepStrictEqual(written(Object.assign(Object.create({ pid: 8 }), { a: 1 })), {
      _tag: "Text",
      text: '{"a":1,"env":"test","pid":7}'
    })
  })

  it("can be redacted", () => {
    const { context } = redactions("context.pid")
    assert.deepStrictEqual(written({}, context), { _tag: "Text", text: '{"env":"test","pid":"[REDACTED]"}' })
  })
})

describe("redaction", () => {
  const cases: ReadonlyArray<readonly [paths: ReadonlyArray<string>, value: Decision["input"], text: string]> = [
    [["input.ssn"], { ssn: "1", name: "n" }, '{"name":"n","ssn":"[REDACTED]"}'],
    [["input.a.b"], { a: { b: 1, c: 2 }, b: 3 }, '{"a":{"b":"[REDACTED]","c":2},"b":3}'],
    [["input.list.0"], { list: [1, 2] }, '{"list":["[REDACTED]",2]}'],
    [
      ["input.people.*.email"],
      { people: [{ email: 1, n: 2 }, { n: 3 }] },
      '{"people":[{"email":"[REDACTED]","n":2},{"n":3}]}'
    ],
    [
      ["input.*.email"],
      { a: { email: 1 }, b: { email: 2 }, email: 3 },
      '{"a":{"email":"[REDACTED]"},"b":{"email":"[REDACTED]"},"email":3}'
    ],
    [["input.*"], { a: 1, b: { c: 2 } }, '{"a":"[REDACTED]","b":"[REDACTED]"}'],
    [["input.matrix.*.*"], { matrix: [[1], [2, 3]] }, '{"matrix":[["[REDACTED]"],["[REDACTED]","[REDACTED]"]]}'],
    [["input.absent", "input.undefined"], { a: 1, undefined: undefined }, '{"a":1}'],
    [
      ["input.constructor"],
      { constructor: 1, a: { constructor: 2 } },
      '{"a":{"constructor":2},"constructor":"[REDACTED]"}'
    ],
    [["input.card"], { card: new Money(1) }, '{"card":"[REDACTED]"}'],
    [
      ["input.card.amount"],
      { card: { toJSON: () => new Money(1) } },
      '{"card":{"amount":"[REDACTED]","currency":"EUR"}}'
    ],
    [["input.scalar.inside"], { scalar: 1 }, '{"scalar":1}']
  ]

  it.each(cases)("%j", (paths, value, text) => assert.strictEqual(textOf(value, redactions(...paths).input), text))

  it("hides poison, and says nothing of it when something else is wrong", () => {
    const { input } = redactions("input.a", "input.list.*")
    const value = { a: 1n, list: [Number.NaN, new Map()], b: 1 }
    assert.strictEqual(textOf(value, input), '{"a":"[REDACTED]","b":1,"list":["[REDACTED]","[REDACTED]"]}')
    assert.deepStrictEqual(
      issuesOf({ ...value, b: 1n }, input).map((issue) => issue.path),
      ["input.b"]
    )
  })
})

describe("what is too much", () => {
  it("objects that share themselves are refused before they have grown", () => {
    let shared: object = { a: 1 }
    for (let level = 0; level < 40; level++) shared = { a: shared, b: shared }
    const result = write(shared, "input")
    if (result._tag !== "Problems") return assert.fail("was written")
    assert.match(result.issues[0]?.message ?? "", /more than 1000000 values/)
  })

  it("a class with a tag of its own keeps its data", () => {
    class Money {
      readonly amount = 5
      get [Symbol.toStringTag]() {
        return "Money"
      }
    }
    assert.deepStrictEqual(write({ price: new Money() }, "input"), { _tag: "Text", text: '{"price":{"amount":5}}' })
  })
})

describe("objects of another realm", () => {
  it("are judged like one's own", () => {
    const text = (code: string) => write(runInNewContext(code), "input")
    assert.deepStrictEqual(text("({ tags: {}, at: new Date(0), list: [1] })"), {
      _tag: "Text",
      text: '{"at":"1970-01-01T00:00:00.000Z","list":[1],"tags":{}}'
    })
    for (const code of ["({ at: new Date(NaN) })", "({ a: new Map([[1, 2]]) })", "({ a: new Error('x') })"]) {
      assert.strictEqual(text(code)._tag, "Problems", code)
    }
  })
})

describe("a problem beside parts that are shared within themselves", () => {
  it("is found without walking every path", () => {
    let shared: object = { a: 1 }
    for (let level = 0; level < 60; level++) shared = { a: shared, b: shared }
    const result = write({ bad: Number.NaN, shared }, "input")
    assert.strictEqual(result._tag, "Problems")
    if (result._tag === "Problems") assert.strictEqual(result.issues[0]?.path, "input.bad")
  })
})
