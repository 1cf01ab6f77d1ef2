import { assert, it } from "@effect/vitest"
import manifest from "../package.json" with { type: "json" }
import { version } from "../src/Version.ts"

it("the version is the one of package.json", () => assert.strictEqual(version, manifest.version))
