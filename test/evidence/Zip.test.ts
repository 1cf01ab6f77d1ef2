/**
 * ZIP archives that have one reading or none.
 */
import { execFileSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Zip as StreamingZip, strToU8, ZipDeflate, zipSync } from "fflate"
import { readZip } from "../../src/evidence/Zip.ts"

const bounds = { maxBytes: 1_000_000, maxMembers: 8 }
const files = { "a.json": strToU8('{"a":1}'), "payloads/b.json": strToU8("x".repeat(5_000)) }
const zip = zipSync(files)

const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]))

const changed = (at: number, value: number): Uint8Array => {
  const copy = zip.slice()
  copy[at < 0 ? copy.length + at : at] = value
  return copy
}

/** The place of the central directory, from the end record. */
const directoryAt = new DataView(zip.buffer).getUint32(zip.length - 6, true)

describe("an archive", () => {
  it("is read as it was written, packed or stored", () => {
    for (const level of [0, 9] as const) {
      const { files: read } = readZip(zipSync(files, { level }), bounds)
      assert.deepStrictEqual([...(read?.keys() ?? [])], Object.keys(files))
      assert.deepStrictEqual(read?.get("payloads/b.json"), files["payloads/b.json"])
    }
  })

  it("of a tool that writes sizes after the content is read too", async () => {
    const streamed = await new Promise<Uint8Array>((resolve, reject) => {
      const parts: Array<Uint8Array> = []
      const archive = new StreamingZip((error, part, isLast) => {
        if (error !== null) return reject(error)
        parts.push(part)
        if (isLast) resolve(concat(...parts))
      })
      const member = new ZipDeflate("a.json")
      archive.add(member)
      member.push(files["a.json"], true)
      archive.end()
    })
    assert.deepStrictEqual(readZip(streamed, bounds).files?.get("a.json"), files["a.json"])
  })

  it("of Python's zipfile is read too, with its folders", () => {
    const script = `import io, sys, zipfile
data = io.BytesIO()
with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.mkdir("payloads") if hasattr(archive, "mkdir") else archive.writestr("payloads/", "")
    archive.writestr("payloads/b.json", "x" * 5000)
sys.stdout.buffer.write(data.getvalue())`
    const { files: read } = readZip(execFileSync("python3", ["-c", script]), bounds)
    assert.deepStrictEqual([...(read?.keys() ?? [])], ["payloads/b.json"])
  })

  it.each([
    ["bytes before it", concat(strToU8("MZ"), zip)],
    ["bytes after it", concat(zip, strToU8("more"))],
    ["another archive before it", concat(zip, zip)],
    ["a comment", concat(changed(-2, 4), strToU8("note"))],
    ["a name that differs in its own header", changed(30, 0x62)],
    ["a size that differs in its own header", changed(22, 0x63)],
    ["a checksum that differs in both", changed(directoryAt + 16, 0)],
    ["one member more in the end record", changed(-12, 3)],
    ["an encrypted member", changed(directoryAt + 8, 1)],
    ["nothing", new Uint8Array()]
  ])("with %s is refused", (_, bytes) => {
    assert.isUndefined(readZip(bytes, bounds).files)
  })

  it("with two members of one name is refused", () => {
    const twin = zipSync({ "a.json": strToU8("1"), "b.json": strToU8("2") })
    const text = Buffer.from(twin).toString("latin1").replaceAll("b.json", "a.json")
    assert.strictEqual(readZip(Buffer.from(text, "latin1"), bounds).problem, "it has two members named a.json")
  })

  it("is refused before it is unpacked when it says that it is too large, and when it is larger than it says", () => {
    const large = zipSync({ "a.json": new Uint8Array(2_000_000) })
    assert.include(readZip(large, bounds).problem, "more than 1000000")
    const view = new DataView(large.buffer)
    const directory = view.getUint32(large.length - 6, true)
    for (const at of [22, directory + 24]) view.setUint32(at, 10, true)
    assert.isUndefined(readZip(large, bounds).files)
  })
})
