/**
 * The processes of a benchmark: one for each subject and one for the server, so that none disturbs another's heap or loop.
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"

type Input<Task> = Task extends (...input: infer Values) => unknown ? Values : never
type Output<Task> = Task extends (...input: never) => infer Value ? Awaited<Value> : never

/** A process that has loaded a module and calls its functions for us, one at a time. */
export interface Worker<Tasks> extends AsyncDisposable {
  readonly call: <Name extends keyof Tasks & string>(
    task: Name,
    ...input: Input<Tasks[Name]>
  ) => Promise<Output<Tasks[Name]>>
}

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, "exit")
  child.kill("SIGKILL")
  await ended
}

const message = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a process of the benchmark ended with ${code}`))
    child.once("exit", onExit)
    child.once("message", (text) => {
      child.off("exit", onExit)
      resolve(text)
    })
  })

/** Starts a {@link Worker} for a module, with `--expose-gc`. */
export const startWorker = <Tasks>(module: URL): Worker<Tasks> => {
  const child = fork(new URL("Worker.ts", import.meta.url), [module.href], {
    execArgv: ["--expose-gc"],
    env: { ...process.env, NODE_ENV: "production" }
  })
  return {
    call: async (task, ...input) => {
      const answer = message(child)
      child.send(JSON.stringify({ task, input }))
      const { error, value } = JSON.parse(String(await answer))
      if (error !== undefined) throw new Error(error)
      return value
    },
    [Symbol.asyncDispose]: () => end(child)
  }
}

/** See `ReceiptServer.ts`. */
export interface ReceiptServer extends AsyncDisposable {
  readonly url: string
  readonly hold: () => void
  readonly release: () => void
  /** Waits until the server has nothing else to do. Answers how many records peers have sent since the last time. */
  readonly settled: () => Promise<number>
}

/** Starts a server that answers after `latency` milliseconds. */
export const startServer = async (latency = 0): Promise<ReceiptServer> => {
  const child = fork(new URL("ReceiptServer.ts", import.meta.url), [String(latency)])
  const url = `http://127.0.0.1:${await message(child)}`
  return {
    url,
    hold: () => void child.send("hold"),
    release: () => void child.send("release"),
    settled: async () => Number(await (await fetch(`${url}/count`)).text()),
    [Symbol.asyncDispose]: () => end(child)
  }
}
