/**
 * The modules of `src/` as the parser sees them: what each imports, what it exports without a docstring, what it silences.
 */
import { globSync, readFileSync } from "node:fs"
import { join, posix } from "node:path"
import { fileURLToPath } from "node:url"
import { parseSync } from "rolldown/utils"

/** The folder of the sources. */
export const sourceFolder: string = fileURLToPath(new URL("../../src", import.meta.url))

/** One import, re-export or `import()` of a module. */
export interface Import {
  /** As it is written. */
  readonly specifier: string
  /** The path under `src/` of a relative import, else `undefined`. */
  readonly target: string | undefined
  /** Whether nothing of it is left at runtime. */
  readonly isTypeOnly: boolean
}

/** A place in a module that breaks a rule. */
export interface Finding {
  readonly line: number
  readonly what: string
}

/** One file of `src/`. */
export interface SourceModule {
  /** Under `src/`, with slashes: `ledger/RetryAfter.ts`. */
  readonly path: string
  readonly imports: ReadonlyArray<Import>
  readonly hasHeader: boolean
  readonly undocumented: ReadonlyArray<Finding>
  readonly looseTypes: ReadonlyArray<Finding>
}

interface Node {
  readonly type: string
  readonly start: number
  readonly [key: string]: unknown
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

function* descendants(node: Node): Generator<Node> {
  yield node
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) yield* descendants(child)
    }
  }
}

const textOf = (literal: unknown): string | undefined =>
  isNode(literal) && literal.type === "Literal" && typeof literal.value === "string" ? literal.value : undefined

const importOf = (node: Node, path: string): Import | undefined => {
  const isImport =
    node.type === "ImportDeclaration" ||
    node.type === "ExportNamedDeclaration" ||
    node.type === "ExportAllDeclaration" ||
    node.type === "ImportExpression" ||
    node.type === "TSImportType"
  const specifier = isImport ? textOf(node.source ?? node.argument) : undefined
  if (specifier === undefined) return undefined
  return {
    specifier,
    target: specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : undefined,
    isTypeOnly: node.type === "TSImportType" || node.importKind === "type" || node.exportKind === "type"
  }
}

const looseTypeOf = (node: Node): string | undefined => {
  if (node.type === "TSAnyKeyword") return "any"
  const isAssertion = node.type === "TSAsExpression" || node.type === "TSTypeAssertion"
  const inner = node.expression
  const isTwice = isAssertion && isNode(inner) && inner.type === node.type && isNode(inner.typeAnnotation)
  return isTwice ? "an assertion of an assertion" : undefined
}

/** The names that a statement exports, with the statement that declares them. */
const exportedDeclarations = (body: ReadonlyArray<Node>): ReadonlyArray<readonly [name: string, at: Node]> => {
  const declaredBy = new Map<string, Node>()
  for (const statement of body) for (const name of namesOf(statement)) declaredBy.set(name, statement)
  return body.flatMap((statement): ReadonlyArray<readonly [string, Node]> => {
    if (statement.type === "ExportDefaultDeclaration") return [["default", statement]]
    if (statement.type !== "ExportNamedDeclaration" || statement.source !== null) return []
    if (isNode(statement.declaration)) return namesOf(statement.declaration).map((name) => [name, statement])
    const specifiers = Array.isArray(statement.specifiers) ? statement.specifiers.filter(isNode) : []
    return specifiers.flatMap(({ local }) => {
      const name = isNode(local) ? String(local.name) : ""
      const declaration = declaredBy.get(name)
      return declaration === undefined ? [] : [[name, declaration] as const]
    })
  })
}

const namesOf = (statement: Node): ReadonlyArray<string> => {
  const declarators = Array.isArray(statement.declarations) ? statement.declarations : [statement]
  return declarators.flatMap((declarator) =>
    isNode(declarator) && isNode(declarator.id) && typeof declarator.id.name === "string" ? [declarator.id.name] : []
  )
}

const read = (path: string): SourceModule => {
  const text = readFileSync(join(sourceFolder, path), "utf8")
  const { comments, errors, program } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  const root: unknown = program
  if (!isNode(root) || !Array.isArray(root.body)) throw new Error(`${path} is not a program`)
  const body = root.body.filter(isNode)
  const all = [...descendants(root)]
  const lineOf = (offset: number): number => text.slice(0, offset).split("\n").length
  const docstrings = comments.filter((comment) => comment.type === "Block" && comment.value.startsWith("*"))
  const isDocumented = (node: Node): boolean =>
    docstrings.some(({ end }) => end <= node.start && text.slice(end, node.start).trim() === "")
  // An overloaded function has its docstring on its first signature.
  const exported = new Map([...exportedDeclarations(body)].reverse())
  const silenced = comments.filter(({ value }) => /@ts-(ignore|expect-error|nocheck)/.test(value))
  return {
    path,
    imports: all.flatMap((node) => importOf(node, path) ?? []),
    hasHeader: /^(#!.*\n)?\/\*\*/.test(text),
    undocumented: [...exported]
      .filter(([, node]) => !isDocumented(node))
      .map(([what, node]) => ({ line: lineOf(node.start), what })),
    looseTypes: [
      ...all.flatMap((node) => {
        const what = looseTypeOf(node)
        return what === undefined ? [] : [{ line: lineOf(node.start), what }]
      }),
      ...silenced.map(({ start, value }) => ({ line: lineOf(start), what: value.trim() }))
    ]
  }
}

/** Every module of `src/`, sorted by path. */
export const sourceModules = (): ReadonlyArray<SourceModule> =>
  globSync("**/*.ts", { cwd: sourceFolder })
    .map((path) => path.replaceAll("\\", "/"))
    .sort()
    .map(read)

/** The package that a bare specifier belongs to: `effect` of `effect/http/HttpClient`. */
export const packageOf = (specifier: string): string =>
  specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/")
