import { defineConfig } from "vitest/config"

// Settings of whoever runs the tests are not those of the tests.
for (const name of Object.keys(process.env)) if (name.startsWith("XASE_")) delete process.env[name]

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/browser/**", "test/mutation/**", "node_modules/**"],
    // Processes of their own: tests send signals, change variables and count listeners.
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})
