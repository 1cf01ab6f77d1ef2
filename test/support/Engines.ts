/**
 * Real Redis and Postgres servers for tests: on free ports, in temporary folders, gone with the test.
 *
 * Where a program is not installed the tests that need it are skipped and say so; with `TEST_ENGINES=required` they
 * fail instead.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createServer, connect as openSocket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

/** A running server. */
export interface Engine extends AsyncDisposable {
  /** The setting `outbox` for it. */
  readonly url: string
  /** Ends the server as a crash would, or as its operator would. */
  readonly stop: (how: "SIGKILL" | "SIGTERM") => Promise<void>
  /** Starts it again on the same port, with what it had stored. */
  readonly start: () => Promise<void>
}

const isRequired = process.env.TEST_ENGINES === "required"

const found = (path: string | undefined, program: string): string | undefined => {
  if (path === undefined && isRequired) throw new Error(`${program} is not installed, and TEST_ENGINES=required`)
  return path
}

const onPath = (program: string): string | undefined =>
  (process.env.PATH ?? "")
    .split(":")
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path))

/** Debian keeps Postgres in a folder for each version. */
const postgresPrograms = (): string | undefined => {
  const root = "/usr/lib/postgresql"
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  const folder = versions.map((version) => join(root, version, "bin")).find((bin) => existsSync(join(bin, "postgres")))
  return folder ?? (onPath("postgres") === undefined ? undefined : join(onPath("postgres") ?? "", ".."))
}

/** The programs, where they are installed. */
export const programs = {
  redis: () => found(onPath("redis-server"), "redis-server"),
  postgres: () => found(postgresPrograms(), "postgres")
}

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === "string") throw new Error("no port")
  return address.port
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = openSocket(port, "127.0.0.1")
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

const untilItAnswers = async (port: number, child: ChildProcess): Promise<void> => {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`)
    if (await answers(port)) return
    await sleep(25)
  }
  throw new Error("the server does not answer")
}

interface Process {
  readonly stop: Engine["stop"]
  readonly start: () => Promise<void>
}

const supervised = (launch: () => ChildProcess, port: number): Process => {
  let child: ChildProcess | undefined
  return {
    start: async () => {
      child = launch()
      await untilItAnswers(port, child)
    },
    stop: async (how) => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, "exit")
      // Postgres: SIGINT is its fast shutdown, SIGTERM would wait for every client.
      child.kill(how)
      await ended
    }
  }
}

/** Starts Redis; each change is on the disk before it is answered, so that a crash loses nothing. */
export const startRedis = async (program: string): Promise<Engine> => {
  const folder = mkdtempSync(join(tmpdir(), "xase-redis-"))
  const port = await freePort()
  const server = supervised(
    () =>
      spawn(
        program,
        // biome-ignore format: one option a line is no easier to read
        ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--databases", "1024", "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning"],
        { stdio: "ignore" }
      ),
    port
  )
  await server.start()
  return {
    url: `redis://127.0.0.1:${port}`,
    ...server,
    [Symbol.asyncDispose]: async () => {
      await server.stop("SIGKILL")
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** Postgres refuses to run as root. */
const postgresUser = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }))
  return { uid: id("-u"), gid: id("-g") }
}

/** Starts Postgres with a fresh database. */
export const startPostgres = async (bin: string): Promise<Engine> => {
  const folder = mkdtempSync(join(tmpdir(), "xase-postgres-"))
  const user = postgresUser()
  if (user !== undefined) {
    chmodSync(folder, 0o755)
    chownSync(folder, user.uid, user.gid)
  }
  const data = join(folder, "data")
  const as = { stdio: "ignore", cwd: folder, ...user } as const
  execFileSync(join(bin, "initdb"), ["-D", data, "-A", "trust", "-U", "xase", "--no-sync"], as)
  const port = await freePort()
  const server = supervised(
    () => spawn(join(bin, "postgres"), ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", folder], as),
    port
  )
  await server.start()
  return {
    url: `postgres://xase:no-password-needed@127.0.0.1:${port}/postgres`,
    start: server.start,
    stop: (how) => server.stop(how),
    [Symbol.asyncDispose]: async () => {
      await server.stop("SIGKILL")
      await sleep(50)
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    }
  }
}

/** A folder that is gone with the test. */
export const temporaryFolder = (): Disposable & { readonly path: string } => {
  const path = mkdtempSync(join(tmpdir(), "xase-outbox-"))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
