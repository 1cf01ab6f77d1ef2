/**
 * Gives what waits its last chance when the process ends: on SIGINT, SIGTERM and the natural end.
 *
 * However many clients there are, each event has one listener, and none when there is no client. The host keeps the last
 * word: while it has listeners of its own for a signal, delivery is only flushed and the process is the host's to end;
 * without them the signal ends the process as it would have, once everything is closed. `process.exit` is never called.
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

const signals = ["SIGINT", "SIGTERM"] as const

const clients = new Set<Closeable>()
let isEnding = false

/** Looks after `client` until {@link unregister}. */
export const register = (client: Closeable): void => {
  const process = globalThis.process
  if (process?.on === undefined) return
  if (clients.size === 0) {
    // First in line, so that a host's `once` listener is still there to be seen.
    for (const signal of signals) process.prependListener(signal, onSignal)
    process.on("beforeExit", onBeforeExit)
  }
  clients.add(client)
}

/** Forgets `client`; the last one takes the listeners along. */
export const unregister = (client: Closeable): void => {
  if (clients.delete(client) && clients.size === 0) removeListeners()
}

const removeListeners = (): void => {
  for (const signal of signals) process.off(signal, onSignal)
  process.off("beforeExit", onBeforeExit)
  isEnding = false
}

const onSignal = (signal: NodeJS.Signals): void => {
  const isHostListening = process.listenerCount(signal) > 1
  if (isHostListening) {
    for (const client of clients) void client.flush()
    return
  }
  const end = (): void => {
    removeListeners()
    process.kill(process.pid, signal)
  }
  // Whoever signals twice does not want to wait.
  if (isEnding) return end()
  isEnding = true
  void Promise.all([...clients].map((client) => client.close())).then(end)
}

const onBeforeExit = (): void => {
  for (const client of clients) {
    if (client.hasUnsettled()) void client.close()
  }
}
