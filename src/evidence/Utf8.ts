/**
 * How many bytes a text takes in UTF-8, without making them where the runtime can count.
 */
let count: ((text: string) => number) | undefined

const resolve = (): ((text: string) => number) => {
  const buffer = globalThis.Buffer
  if (buffer !== undefined) return (text) => buffer.byteLength(text, "utf8")
  const encoder = new TextEncoder()
  return (text) => encoder.encode(text).byteLength
}

/** The length of `text` in UTF-8 bytes. */
export const byteLength = (text: string): number => {
  count ??= resolve()
  return count(text)
}
