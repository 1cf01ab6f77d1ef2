import { defineConfig } from "vitest/config"

/** The tests that hold one module (`MUTATION_TESTS`), without the slowest: they run once for each mutant of it. */
export default defineConfig({
  test: {
    include: (process.env.MUTATION_TESTS ?? "test/evidence/*.test.ts").split(","),
    testNamePattern:
      /^(?!.*(Python|a client with a signer|would grow beyond bounds|of any decision is valid|of any bytes)).*$/,
    pool: "threads",
    isolate: false,
    maxWorkers: 1,
    testTimeout: 60_000
  }
})
