/**
 * The caller's own functions, made safe to call: what they throw, and a promise of theirs that rejects, changes nothing.
 */
import { ConfigurationError } from "../XaseError.ts"

/** Loggers with methods: `console`, pino, winston. */
export interface LoggerObject {
  readonly info: (line: string) => unknown
  readonly warn: (line: string) => unknown
}

/** A function for all lines, an object with a method for each level, or `false` for no lines. */
export type LoggerOption = ((line: string) => unknown) | LoggerObject | false

/** How important a line is. */
export type LineLevel = "info" | "warn"

/** Calls a function of the caller's. `onFailure` is called, and may be called late, when it throws or rejects. */
export const safely = (call: () => unknown, onFailure: () => void = () => {}): void => {
  try {
    // Also a thenable of another realm or library.
    void Promise.resolve(call()).then(undefined, onFailure)
  } catch {
    onFailure()
  }
}

const isLoggerObject = (value: unknown): value is LoggerObject =>
  typeof value === "object" &&
  value !== null &&
  typeof Reflect.get(value, "info") === "function" &&
  typeof Reflect.get(value, "warn") === "function"

/** A logger that never throws; `undefined` where lines go nowhere. Throws a `ConfigurationError` for anything else. */
export const loggerFrom = (option: unknown): ((level: LineLevel, line: string) => void) | undefined => {
  if (option === undefined || option === false) return undefined
  if (typeof option === "function") return (_, line) => safely(() => option(line))
  if (isLoggerObject(option)) return (level, line) => safely(() => option[level](line))
  throw new ConfigurationError({
    setting: "logger",
    problem: `is ${option === null ? "null" : `of type ${typeof option}`}`,
    fix: "Give a function, an object with info and warn such as console or a pino logger, or false."
  })
}
