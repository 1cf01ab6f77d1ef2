/**
 * What the types of the Promise facade make its users learn: nothing of Effect (R44).
 *
 * The compiler itself resolves every type that can be reached from what `xase-sdk/promise` exports.
 */
import { join } from "node:path"
import {
  API,
  type Checker,
  type Project,
  type Signature,
  SignatureKind,
  type Symbol,
  SymbolFlags,
  type Type,
  TypeFlags
} from "typescript/unstable/sync"
import { assert, describe, it } from "vitest"
import { repository } from "./support/PackedPackage.ts"

const declaredIn = (symbol: Symbol | undefined, folder: string): boolean =>
  symbol?.declarations.some(({ path }) => path.includes(folder)) ?? false

const isOfEffect = (symbol: Symbol | undefined): boolean =>
  declaredIn(symbol, "/node_modules/effect/") || declaredIn(symbol, "/node_modules/@effect/")

/** A type that has a name; the shape that an operator on types leaves behind has none. */
const isNamed = (symbol: Symbol | undefined): boolean => symbol !== undefined && !symbol.name.startsWith("__")

const isOfThisPackage = (symbol: Symbol | undefined): boolean =>
  symbol !== undefined && !declaredIn(symbol, "/node_modules/")

/** The ways from an export to a type of Effect's, such as `XaseClient.flush.timeout: Duration`. */
const waysToEffect = (checker: Checker, exports: ReadonlyArray<Symbol>): ReadonlyArray<string> => {
  const ways: Array<string> = []
  const seen = new Set<number>()

  const visitMember = (symbol: Symbol, way: string): void => {
    const type = checker.getTypeOfSymbol(symbol)
    if (type !== undefined) visit(type, way)
  }

  const visitSignature = (signature: Signature, way: string): void => {
    for (const parameter of signature.getParameters()) visitMember(parameter, `${way}(${parameter.name})`)
    const result = checker.getReturnTypeOfSignature(signature)
    if (result !== undefined) visit(result, `${way}()`)
  }

  const visit = (type: Type, way: string): void => {
    if (seen.has(type.id)) return
    seen.add(type.id)
    const symbol = type.getSymbol()
    if ((isNamed(symbol) && isOfEffect(symbol)) || isOfEffect(type.getAliasSymbol())) {
      ways.push(`${way}: ${checker.typeToString(type)}`)
      return
    }
    if (type.isUnionType() || type.isIntersectionType()) for (const part of type.getTypes()) visit(part, way)
    if (type.isTypeReference()) for (const argument of checker.getTypeArguments(type)) visit(argument, `${way}<>`)
    const isStructure = (type.flags & TypeFlags.Object) !== 0 && (!isNamed(symbol) || isOfThisPackage(symbol))
    if (!isStructure) return
    for (const property of checker.getPropertiesOfType(type)) {
      // Private members, and what Effect adds to every `Error` there is.
      if (!/#|^~effect\//.test(property.name)) visitMember(property, `${way}.${property.name}`)
    }
    for (const kind of [SignatureKind.Call, SignatureKind.Construct]) {
      for (const signature of checker.getSignaturesOfType(type, kind)) visitSignature(signature, way)
    }
    for (const { valueType } of checker.getIndexInfosOfType(type)) visit(valueType, `${way}[]`)
  }

  for (const exported of exports) {
    const symbol = (exported.flags & SymbolFlags.Alias) === 0 ? exported : checker.getAliasedSymbol(exported)
    if ((symbol.flags & SymbolFlags.Type) !== 0) visit(checker.getDeclaredTypeOfSymbol(symbol), exported.name)
    if ((symbol.flags & SymbolFlags.Value) !== 0) visitMember(symbol, `typeof ${exported.name}`)
  }
  return ways
}

const exportsOf = ({ checker, program }: Project, path: string): ReadonlyArray<Symbol> => {
  const file = program.getSourceFile(join(repository, path))
  const module = file === undefined ? undefined : checker.getSymbolAtLocation(file)
  if (module === undefined) throw new Error(`${path} is not a module of the program`)
  return checker.getExportsOfModule(module)
}

describe("types of the facade", () => {
  it("no type of Effect can be reached from what it exports (R44)", () => {
    const api = new API({ cwd: repository })
    try {
      const [project] = api.updateSnapshot({ openProjects: [join(repository, "tsconfig.json")] }).getProjects()
      if (project === undefined) throw new Error("tsconfig.json is no project")
      assert.deepStrictEqual(waysToEffect(project.checker, exportsOf(project, "src/promise.ts")), [])
      // The service for Effect applications shows that the search finds what there is.
      const found = waysToEffect(project.checker, exportsOf(project, "src/client/Xase.ts"))
      assert.isTrue(found.some((way) => way.startsWith("Service.record()")))
    } finally {
      api.close()
    }
  })
})
