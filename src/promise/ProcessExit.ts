/**
 * Delivers what waits when the process ends: on SIGINT, SIGTERM and the natural end.
 *
 * All clients of all copies of this package in a process share one registry, so that each event has one listener however
 * many clients and copies there are, and none when there is no client. The host keeps the last word: while it has
 * listeners of its own for a signal, delivery is only flushed and the process is the host's to end. Without them the signal
 * ends the process as it would have, once everything is closed. Listeners of `signal-exit`, which many tools carry, wait
 * for everybody else and end nothing by themselves: they do not count as the host's.
 */

/** What the end of the process does with a client. */
export interface Closeable {
  /** Whether records are on their way. */
  readonly hasUnsettled: () => boolean
  /** Waits for what is on its way, within the client's shutdown deadline. Never rejects. */
  readonly flush: () => Promise<void>
  /** Never rejects. */
  readonly close: () => Promise<void>
}

/** Looks after the clients of the process. Other copies of this package call these two functions: they stay as they are. */
interface Registry {
  readonly register: (client: Closeable) => void
  readonly unregister: (client: Closeable) => void
}

const registryKey = Symbol.for("xase-sdk/ProcessExit/1")

/** What a process exits with for a signal: 128 and the signal's number (POSIX). */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const
type Signal = keyof typeof exitCodes
const signals: ReadonlyArray<Signal> = ["SIGINT", "SIGTERM"]

/** How long a process may outlive the signal that it sent itself, in milliseconds. */
const endPatience = 500

const countIn = (emitter: unknown): number =>
  typeof emitter === "object" && emitter !== null && "count" in emitter && typeof emitter.count === "number"
    ? emitter.count
    : 0

/** Listeners of `signal-exit`, by the counts that its versions 3 and 4 keep for each other. */
const flushOnlyListeners = (): number =>
  countIn(Reflect.get(process, "__signal_exit_emitter__")) +
  countIn(Reflect.get(globalThis, Symbol.for("signal-exit emitter")))

const makeRegistry = (): Registry => {
  const clients = new Set<Closeable>()
  let isEnding = false

  /** Whether the host listens, beside our own listener if that is still there. */
  const isHostListening = (signal: Signal): boolean => {
    const own = process.listeners(signal).includes(onSignal) ? 1 : 0
    return process.listenerCount(signal) > own + flushOnlyListeners()
  }

  const removeListeners = (): void => {
    for (const signal of signals) process.off(signal, onSignal)
    process.off("beforeExit", onBeforeExit)
    isEnding = false
  }

  const end = (signal: Signal): void => {
    removeListeners()
    // The first process of a container ignores a signal without a listener, also its own.
    if (process.pid === 1) process.exit(exitCodes[signal])
    process.kill(process.pid, signal)
    setTimeout(() => {
      if (!isHostListening(signal)) process.exit(exitCodes[signal])
    }, endPatience)
  }

  const onSignal = (signal: NodeJS.Signals): void => {
    if (signal !== "SIGINT" && signal !== "SIGTERM") return
    if (isHostListening(signal)) {
      for (const client of clients) void client.flush()
      return
    }
    // A second signal means that nobody wants to wait.
    if (isEnding) return end(signal)
    isEnding = true
    void Promise.allSettled([...clients].map((client) => client.close())).then(() => end(signal))
  }

  const onBeforeExit = (): void => {
    for (const client of clients) {
      if (client.hasUnsettled()) void client.close()
    }
  }

  return {
    register: (client) => {
      if (clients.size === 0) {
        // First in line, so that a host's `once` listener is still there to be seen.
        for (const signal of signals) process.prependListener(signal, onSignal)
        process.on("beforeExit", onBeforeExit)
      }
      clients.add(client)
    },
    unregister: (client) => {
      // The listeners stay until a signal that is being answered has ended the process.
      if (clients.delete(client) && clients.size === 0 && !isEnding) removeListeners()
    }
  }
}

const isRegistry = (value: unknown): value is Registry =>
  typeof value === "object" && value !== null && "register" in value && "unregister" in value

const registry = (): Registry | undefined => {
  if (globalThis.process?.on === undefined) return undefined
  const found: unknown = Reflect.get(globalThis, registryKey)
  if (isRegistry(found)) return found
  const made = makeRegistry()
  Reflect.set(globalThis, registryKey, made)
  return made
}

/** Looks after `client` until {@link unregister}. */
export const register = (client: Closeable): void => registry()?.register(client)

/** Forgets `client`; the last one takes the listeners along. */
export const unregister = (client: Closeable): void => registry()?.unregister(client)
