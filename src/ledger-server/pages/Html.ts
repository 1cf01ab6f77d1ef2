/**
 * HTML as a value: everything that is put into it is escaped, unless it is HTML already.
 */

/** Text that is HTML. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** What may be put into HTML. */
export type Part = Html | string | number | null | undefined | ReadonlyArray<Html>

const escapes: ReadonlyMap<string, string> = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&quot;"],
  ["'", "&#39;"]
])

const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes.get(character) ?? "")

const render = (part: Part): string => {
  if (part === null || part === undefined) return ""
  if (part instanceof Html) return part.text
  if (typeof part === "object") return part.map((html) => html.text).join("")
  return escape(String(part))
}

/** A template whose parts are escaped. */
export const html = (strings: TemplateStringsArray, ...parts: ReadonlyArray<Part>): Html =>
  new Html(strings.reduce((text, next, index) => `${text}${render(parts[index - 1])}${next}`))
