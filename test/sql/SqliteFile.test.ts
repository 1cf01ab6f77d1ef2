/**
 * Who may take a database for itself: only a process that finds nobody else in it.
 */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as SqliteFile from "../../src/sql/SqliteFile.ts"
import { temporaryFolder } from "../support/Engines.ts"

describe("the users of a database", () => {
  it("wait while the first prepares it, and are not the first while anybody uses it", () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "outbox.db")
    const first = SqliteFile.join(path)
    assert.isTrue(first?.isFirst)
    assert.isUndefined(SqliteFile.join(path))
    assert.isTrue(first?.settle())
    const second = SqliteFile.join(path)
    assert.isFalse(second?.isFirst)
    first?.release()
    const successor = SqliteFile.join(path)
    assert.isFalse(successor?.isFirst, "the second one is still there")
    second?.release()
    successor?.release()
    const last = SqliteFile.join(path)
    assert.isTrue(last?.isFirst)
    last?.release()
  })
})
