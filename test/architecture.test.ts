/**
 * The map of the house, held against every import: who may know whom, and who may touch what.
 *
 * A new module fails here until it is given its room. If no room fits, the layout is wrong, not the test.
 */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import {
  type Finding,
  type Import,
  packageOf,
  type SourceModule,
  sourceFolder,
  sourceModules
} from "./support/SourceModules.ts"

/** From the ground up. A module imports from its own room and from those on lower floors, never from one above. */
const floors: ReadonlyArray<readonly [name: string, rooms: ReadonlyArray<string>]> = [
  ["ground", ["Version", "XaseError", "sql/"]],
  ["contract", ["contract/"]],
  ["evidence", ["evidence/"]],
  ["decision", ["decision/"]],
  ["settings", ["settings/"]],
  ["ways out", ["ledger/", "outbox/"]],
  ["delivery", ["delivery/"]],
  ["client", ["client/"]],
  ["faces", ["promise/", "cli/"]],
  ["doors", ["index", "promise", "testing", "verify", "cli"]]
]

/** The embedded ledger stands beside the house, on the words that it shares with the client and the package's own version. */
const ledgerServer = "ledger-server/"
const sharedWithLedgerServer = ["contract/", "decision/Decision", "evidence/", "sql/", "Version"]

/** What the package exports: nothing inside imports it. */
const doors = ["index", "promise", "testing", "verify", "cli"]

/** Who alone may import what, in platform and in Effect's unstable parts. */
const privileges: ReadonlyArray<
  readonly [what: RegExp, rooms: ReadonlyArray<string>, typeOnlyRooms?: ReadonlyArray<string>]
> = [
  [/^effect\/http\//, ["ledger/", ledgerServer], ["client/"]],
  [/^effect\/http-api\//, [ledgerServer]],
  [/^effect\/(persistence|sql)\//, ["outbox/", "sql/", ledgerServer]],
  [/^effect\/cli\//, ["cli", "cli/"]],
  [
    /^(node:|@effect\/platform-node|undici$)/,
    ["ledger/NodeTransport", "promise", "promise/", "outbox/", "sql/", ledgerServer, "cli", "cli/"]
  ]
]

const modules = sourceModules()

const isIn = (path: string, room: string): boolean =>
  room.endsWith("/") ? path.startsWith(room) : path === `${room}.ts`
const isInOneOf = (path: string, rooms: ReadonlyArray<string>): boolean => rooms.some((room) => isIn(path, room))
const floorOf = (path: string): number => floors.findIndex(([, rooms]) => isInOneOf(path, rooms))

const roomOf = (path: string): string => path.slice(0, path.indexOf("/") + 1)

const importsWhere = (isWrong: (from: string, imported: Import) => boolean): ReadonlyArray<string> =>
  modules.flatMap(({ imports, path }) =>
    imports.filter((imported) => isWrong(path, imported)).map(({ specifier }) => `${path} -> ${specifier}`)
  )

const importsOf = (target: string) => (isWrong: (from: string) => boolean) =>
  importsWhere((from, imported) => imported.target !== undefined && isIn(imported.target, target) && isWrong(from))

const findings = (of: (module: SourceModule) => ReadonlyArray<Finding>): ReadonlyArray<string> =>
  modules.flatMap((module) => of(module).map(({ line, what }) => `src/${module.path}:${line} ${what}`))

/** One way around, if there is one. */
const findCycle = (): ReadonlyArray<string> | undefined => {
  const done = new Set<string>()
  const visit = (path: string, way: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path]
    if (done.has(path)) return undefined
    for (const { target } of modules.find((module) => module.path === path)?.imports ?? []) {
      const cycle = target === undefined ? undefined : visit(target, [...way, path])
      if (cycle !== undefined) return cycle
    }
    done.add(path)
    return undefined
  }
  for (const { path } of modules) {
    const cycle = visit(path, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}

describe("architecture: the map", () => {
  it("every module has exactly one room", () => {
    assert.isAbove(modules.length, 50)
    const rooms = [...floors.flatMap(([, rooms]) => rooms), ledgerServer]
    for (const { path } of modules) {
      assert.lengthOf(
        rooms.filter((room) => isIn(path, room)),
        1,
        `src/${path}: give it a room in test/architecture.test.ts`
      )
    }
  })

  it("every relative import leads to a module", () => {
    const paths = new Set(modules.map(({ path }) => path))
    assert.deepStrictEqual(
      importsWhere((_, { target }) => target !== undefined && !paths.has(target)),
      []
    )
  })

  it("imports point downwards", () => {
    assert.deepStrictEqual(
      importsWhere(
        (from, { target }) =>
          target !== undefined &&
          !isIn(from, ledgerServer) &&
          !isIn(target, ledgerServer) &&
          (floorOf(target) > floorOf(from) || (floorOf(target) === floorOf(from) && roomOf(target) !== roomOf(from)))
      ),
      []
    )
  })

  it("no import comes back to where it started, types included", () => {
    assert.isUndefined(findCycle())
  })

  it("nothing inside imports an entry point", () => {
    for (const door of doors)
      assert.deepStrictEqual(
        importsOf(door)(() => true),
        []
      )
  })

  it("the embedded ledger knows of the client only the words that they share", () => {
    assert.deepStrictEqual(
      importsWhere(
        (from, { target }) =>
          target !== undefined &&
          isIn(from, ledgerServer) &&
          !isIn(target, ledgerServer) &&
          !isInOneOf(target, sharedWithLedgerServer)
      ),
      []
    )
  })

  it("of the client only the command knows the embedded ledger, by its entry point", () => {
    assert.deepStrictEqual(
      importsWhere(
        (from, { target }) =>
          target !== undefined &&
          isIn(target, ledgerServer) &&
          !isIn(from, ledgerServer) &&
          !(isIn(from, "cli/") && target === "ledger-server/index.ts")
      ),
      []
    )
  })
})

describe("architecture: what comes from outside", () => {
  it("HTTP, storage, the command line and Node are imported where they belong", () => {
    for (const [what, rooms, typeOnlyRooms = []] of privileges) {
      assert.deepStrictEqual(
        importsWhere(
          (from, { isTypeOnly, specifier }) =>
            what.test(specifier) && !isInOneOf(from, rooms) && !(isTypeOnly && isInOneOf(from, typeOnlyRooms))
        ),
        []
      )
    }
  })

  it("modules of Effect are imported one by one, never through a barrel (R43)", () => {
    const isLeaf = /^(effect|@effect\/[a-z-]+)(\/[a-z-]+)*\/[A-Z][A-Za-z0-9]*$/
    assert.deepStrictEqual(
      importsWhere((_, { specifier }) => /^(effect|@effect)(\/|$)/.test(specifier) && !isLeaf.test(specifier)),
      []
    )
  })

  it("every package that is imported is a dependency that users get", () => {
    const { dependencies, peerDependencies } = JSON.parse(
      readFileSync(new URL("../package.json", import.meta.url), "utf8")
    )
    const declared = Object.keys({ ...dependencies, ...peerDependencies })
    assert.deepStrictEqual(
      importsWhere(
        (_, { specifier, target }) =>
          target === undefined && !specifier.startsWith("node:") && !declared.includes(packageOf(specifier))
      ),
      []
    )
    const used = new Set(modules.flatMap(({ imports }) => imports.map(({ specifier }) => packageOf(specifier))))
    // Imported by Effect's Redis client, which the build puts into the facade.
    used.add("redis")
    assert.deepStrictEqual(
      declared.filter((name) => !used.has(name)),
      []
    )
  })
})

describe("architecture: every module", () => {
  it("opens with a header", () => {
    assert.deepStrictEqual(
      modules.filter(({ hasHeader }) => !hasHeader).map(({ path }) => path),
      []
    )
  })

  it("that xase-sdk/verify reaches needs neither Effect nor Node at run time", () => {
    const reached = new Set<string>()
    const foreign: Array<string> = []
    const visit = (path: string): void => {
      if (reached.has(path)) return
      reached.add(path)
      for (const { isTypeOnly, specifier, target } of modules.find((module) => module.path === path)?.imports ?? []) {
        if (isTypeOnly) continue
        if (target !== undefined) visit(target)
        else foreign.push(specifier)
      }
    }
    visit("verify.ts")
    assert.isAbove(reached.size, 10)
    assert.deepStrictEqual([...new Set(foreign)].sort(), [
      "@noble/hashes/sha2.js",
      "@noble/hashes/utils.js",
      "fflate/browser"
    ])
  })

  it("has a docstring on everything that it exports", () => {
    assert.deepStrictEqual(
      findings(({ undocumented }) => undocumented),
      []
    )
  })

  it("has docstrings that stand alone", () => {
    assert.deepStrictEqual(
      modules.filter(({ path }) => readFileSync(`${sourceFolder}/${path}`, "utf8").includes("See the module")),
      []
    )
  })

  it("has no any, no assertion through another type, and silences no error of the compiler", () => {
    assert.deepStrictEqual(
      findings(({ looseTypes }) => looseTypes),
      []
    )
  })
})
