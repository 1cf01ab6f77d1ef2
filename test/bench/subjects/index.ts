/**
 * All subjects by name. Only the one that is opened is loaded, so that none pays for another.
 */
import type { Open, Subject, Target } from "./Subject.ts"

const subjects = {
  XaseClient: () => import("./xase-client.ts"),
  "Xase (Effect)": () => import("./xase-effect.ts"),
  "Xase on HttpClient (undici)": () => import("./xase-http-client.ts"),
  "undici request": () => import("./undici.ts"),
  "fetch in a loop": () => import("./fetch.ts"),
  "posthog-node": () => import("./posthog.ts"),
  segment: () => import("./segment.ts"),
  "langfuse 3": () => import("./langfuse.ts"),
  "OpenTelemetry logs": () => import("./opentelemetry.ts"),
  "pino to a file": () => import("./pino.ts")
} satisfies { readonly [name: string]: () => Promise<{ readonly open: Open }> }

/** The name of a subject. */
export type SubjectName = keyof typeof subjects

/** The peers that send over HTTP; all of them in batches, by their own defaults. */
export const peers = ["posthog-node", "segment", "langfuse 3", "OpenTelemetry logs"] as const

/** Loads and opens a subject. */
export const open = async (name: SubjectName, target: Target): Promise<Subject> => (await subjects[name]()).open(target)
