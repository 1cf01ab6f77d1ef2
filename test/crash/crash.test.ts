/**
 * A few rounds of the crash harness for each durable outbox; `npm run test:crash` runs 200.
 */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { programs, startPostgres, startRedis, temporaryFolder } from "../support/Engines.ts"
import { crash } from "./harness.ts"

const rounds = 8

const nothingLost = async (url: string): Promise<void> => {
  const result = await crash(url, rounds)
  assert.isAbove(result.accepted, rounds)
  assert.deepInclude(result, { rounds, delivered: result.accepted, duplicates: 0, lost: 0 })
}

describe.concurrent("processes that are killed lose nothing and record nothing twice", () => {
  const redis = programs.redis()
  const postgres = programs.postgres()

  it("with SQLite", async () => {
    using folder = temporaryFolder()
    await nothingLost(`sqlite:${join(folder.path, "outbox.db")}`)
  })

  it.skipIf(redis === undefined)("with Redis", async () => {
    await using engine = await startRedis(redis ?? "")
    await nothingLost(engine.url)
  })

  it.skipIf(postgres === undefined)("with Postgres", async () => {
    await using engine = await startPostgres(postgres ?? "")
    await nothingLost(engine.url)
  })
})
