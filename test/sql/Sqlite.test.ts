import { assert, describe, it } from "@effect/vitest"
import { open } from "../../src/sql/Sqlite.ts"

describe("prepared statements", () => {
  it("are bounded: one that nobody has used for long is forgotten, and works again when it is needed", () => {
    const { database, statement } = open(":memory:")
    const first = statement("SELECT 0 AS n")
    const hot = statement("SELECT 'hot' AS n")
    for (let n = 1; n <= 1_000; n++) {
      assert.deepStrictEqual({ ...statement(`SELECT ${n} AS n`).get() }, { n })
      assert.strictEqual(statement("SELECT 'hot' AS n"), hot)
    }
    assert.notStrictEqual(statement("SELECT 0 AS n"), first)
    assert.deepStrictEqual({ ...statement("SELECT 0 AS n").get() }, { n: 0 })
    database.close()
  })
})
