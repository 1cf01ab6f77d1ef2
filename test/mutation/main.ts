/**
 * `npm run test:mutation [-- Verdict ProducerChain ...]`: changes the mathematics of evidence and its verification, one small
 * change at a time, and counts those that no test notices. Each module is held by its own tests only, so that a mutant takes
 * about a second; texts are left alone. What survives is listed, with its line.
 *
 * Stryker's runner for Vitest finds nothing with Vitest 5 and its TypeScript support needs an older compiler, hence the
 * command runner.
 */
import { spawnSync } from "node:child_process"
import { createRequire } from "node:module"

const modules: ReadonlyArray<readonly [path: string, tests: ReadonlyArray<string>]> = [
  ["evidence/LedgerHash", ["evidence/LedgerHash"]],
  ["evidence/Commitment", ["evidence/Commitment"]],
  ["evidence/StrictJson", ["evidence/StrictJson"]],
  ["evidence/Zip", ["evidence/Zip"]],
  ["evidence/Verdict", ["evidence/Verdict"]],
  ["evidence/FieldCheck", ["evidence/FieldCheck"]],
  ["evidence/ProducerChain", ["evidence/chains"]],
  ["evidence/LedgerWalk", ["evidence/chains"]],
  ["evidence/TrustPolicy", ["evidence/TrustPolicy"]],
  ["evidence/RecordCheck", ["evidence/RecordCheck", "evidence/Bundle"]],
  ["evidence/CommitmentCheck", ["evidence/RecordCheck", "evidence/Bundle", "evidence/vectors", "evidence/fuzz"]],
  ["evidence/Report", ["evidence/vectors", "evidence/fuzz"]],
  ["evidence/Bundle", ["evidence/Bundle", "evidence/vectors"]],
  ["evidence/Dsse", ["decision/Signer", "evidence/vectors"]]
]

const stryker = createRequire(import.meta.url)
  .resolve("@stryker-mutator/core/package.json")
  .replace("package.json", "bin/stryker.js")
const wanted = process.argv.slice(2)

for (const [path, tests] of modules) {
  if (wanted.length > 0 && !wanted.some((name) => path.endsWith(name))) continue
  const { stdout } = spawnSync(
    process.execPath,
    [stryker, "run", "test/mutation/stryker.config.json", "--mutate", `src/${path}.ts`],
    {
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, MUTATION_TESTS: tests.map((name) => `test/${name}.test.ts`).join(",") }
    }
  )
  const [, survivors = ""] =
    /initial test run succeeded[^\n]*\n([\s\S]*?)Ran [\d.]+ tests per mutant/i.exec(stdout) ?? []
  const [row = `${path}: no result\n${stdout}`] = /^ \S+\.ts.*$/m.exec(stdout) ?? []
  process.stdout.write(`${survivors.trim()}\n\n${row.trim()}\n\n`)
}
