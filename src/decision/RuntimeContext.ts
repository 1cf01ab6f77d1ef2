/**
 * What the SDK itself knows about the circumstances of a decision, merged under the caller's `context`.
 *
 * The part that never changes in a process is computed once per client and kept as ready JSON text.
 */
import { CanonicalText, type DefaultMembers } from "../evidence/CanonicalJson.ts"
import { version } from "../Version.ts"

/**
 * Reads the constant part from the running process: `runtime` (`node@v24.1.0`), `platform`, `arch`, `hostname`, `pid`,
 * `lib_version` and `env`. What a runtime does not have is left out.
 */
export const make = (environment: string): DefaultMembers => {
  const process = globalThis.process
  const facts = {
    runtime: runtimeName(),
    platform: process?.platform,
    arch: process?.arch,
    hostname: process?.getBuiltinModule?.("node:os")?.hostname(),
    pid: process?.pid,
    lib_version: version,
    env: environment
  }
  const context: Record<string, CanonicalText> = {}
  for (const [name, value] of Object.entries(facts)) {
    if (value !== undefined) context[name] = new CanonicalText(JSON.stringify(value))
  }
  return context
}

const runtimeName = (): string | undefined => {
  const versions = globalThis.process?.versions
  if (versions === undefined) return globalThis.navigator?.userAgent
  for (const name of ["bun", "deno"]) {
    const found = versions[name]
    if (found !== undefined) return `${name}@v${found}`
  }
  return `node@v${versions.node}`
}
