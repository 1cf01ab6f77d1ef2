/**
 * A strict reader of ZIP files: an archive has one reading or none.
 *
 * Readers of ZIP differ in which directory they believe, in what they do with two members of one name and in how far a
 * member goes, so that one file can show two people two contents. This one reads an archive only when its single central
 * directory, its local headers and its members cover the file without gap or overlap, and its sizes fit within a bound
 * that is checked before anything is inflated (APPNOTE.TXT 6.3, without ZIP64 and encryption).
 */
// The form for Node gets worker threads ready as it loads, which takes 10 ms, and nothing here needs them.
import { inflateSync } from "fflate/browser"

/** The members by name, or why the bytes are no archive that everybody reads alike. */
export type ZipContents =
  | { readonly files: ReadonlyMap<string, Uint8Array>; readonly problem?: undefined }
  | { readonly files?: undefined; readonly problem: string }

/** Bounds of an archive. */
export interface ZipBounds {
  /** Of all members together, inflated. */
  readonly maxBytes: number
  readonly maxMembers: number
}

interface Member {
  readonly name: string
  readonly flags: number
  readonly method: number
  readonly crc: number
  readonly packed: number
  readonly size: number
  readonly offset: number
}

const endSignature = 0x06054b50
const centralSignature = 0x02014b50
const localSignature = 0x04034b50
const descriptorSignature = 0x08074b50
const endBytes = 22
const decoder = new TextDecoder("utf-8", { fatal: true })

const crcTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
  return value
})

const crcOf = (bytes: Uint8Array): number => {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crcTable[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

class Refusal {
  readonly problem: string
  constructor(problem: string) {
    this.problem = problem
  }
}

const refuse = (problem: string): never => {
  throw new Refusal(problem)
}

/** The end record: last in the file, without a comment, and the only one. */
const readEnd = (view: DataView) => {
  const at = view.byteLength - endBytes
  if (at < 0 || view.getUint32(at, true) !== endSignature) return refuse("it does not end with a directory of its own")
  const [disk, start, here, count] = [4, 6, 8, 10].map((place) => view.getUint16(at + place, true))
  const size = view.getUint32(at + 12, true)
  const offset = view.getUint32(at + 16, true)
  if (disk !== 0 || start !== 0 || here !== count || view.getUint16(at + 20, true) !== 0) {
    return refuse("its end record is that of another archive")
  }
  if (offset + size !== at) return refuse("there is something between its directory and its end")
  return { count: count ?? 0, offset, end: at }
}

const readMember = (
  zip: Uint8Array,
  view: DataView,
  at: number,
  end: number
): readonly [member: Member, next: number] => {
  if (at + 46 > end || view.getUint32(at, true) !== centralSignature) return refuse("its directory is damaged")
  const nameBytes = view.getUint16(at + 28, true)
  const next = at + 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
  if (next > end) return refuse("its directory is damaged")
  const member = {
    name: decoder.decode(zip.subarray(at + 46, at + 46 + nameBytes)),
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    crc: view.getUint32(at + 16, true),
    packed: view.getUint32(at + 20, true),
    size: view.getUint32(at + 24, true),
    offset: view.getUint32(at + 42, true)
  }
  return [member, next]
}

const hasDescriptor = ({ flags }: Member): boolean => (flags & 8) !== 0

/** Where the data of a member is, once its local header says what the directory says. */
const dataOf = (zip: Uint8Array, view: DataView, member: Member): readonly [start: number, end: number] => {
  const { offset, packed } = member
  if (offset + 30 > view.byteLength || view.getUint32(offset, true) !== localSignature) {
    return refuse(`${member.name} has no header of its own`)
  }
  const nameEnd = offset + 30 + view.getUint16(offset + 26, true)
  const start = nameEnd + view.getUint16(offset + 28, true)
  if (start + packed > view.byteLength) return refuse(`${member.name} goes beyond the file`)
  const name = decoder.decode(zip.subarray(offset + 30, nameEnd))
  const sizes = [14, 18, 22].map((place) => view.getUint32(offset + place, true))
  const isLater = hasDescriptor(member) && sizes.every((value) => value === 0)
  const expected = [member.crc, packed, member.size]
  if (
    name !== member.name ||
    view.getUint16(offset + 6, true) !== member.flags ||
    view.getUint16(offset + 8, true) !== member.method ||
    !(isLater || sizes.every((value, index) => value === expected[index]))
  ) {
    return refuse(`${member.name} says one thing in the directory and another in its own header`)
  }
  return [start, start + packed + descriptorBytes(view, start + packed, member)]
}

const descriptorBytes = (view: DataView, at: number, member: Member): number => {
  if (!hasDescriptor(member)) return 0
  const withSignature = at + 16 <= view.byteLength && view.getUint32(at, true) === descriptorSignature ? 4 : 0
  const expected = [member.crc, member.packed, member.size]
  const isRight = expected.every((value, index) => {
    const place = at + withSignature + 4 * index
    return place + 4 <= view.byteLength && view.getUint32(place, true) === value
  })
  return isRight ? withSignature + 12 : refuse(`${member.name} has a descriptor that differs from the directory`)
}

const contentOf = (packed: Uint8Array, { crc, method, name, size }: Member): Uint8Array => {
  if (method !== 0 && method !== 8) return refuse(`${name} is packed in a way that is not read here`)
  if (method === 0 && packed.length !== size) return refuse(`${name} has two sizes`)
  // One byte more than it says, so that a member that is larger shows.
  const bytes = method === 0 ? packed : inflateSync(packed, { out: new Uint8Array(size + 1) })
  if (bytes.length !== size || crcOf(bytes) !== crc) return refuse(`${name} is damaged`)
  return bytes
}

const read = (zip: Uint8Array, bounds: ZipBounds): ReadonlyMap<string, Uint8Array> => {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength)
  const { count, end, offset } = readEnd(view)
  if (count > bounds.maxMembers) return refuse(`it has ${count} members, more than ${bounds.maxMembers}`)
  const members: Array<Member> = []
  let at = offset
  for (let index = 0; index < count; index++) {
    const [member, next] = readMember(zip, view, at, end)
    if ((member.flags & ~0x080e) !== 0) refuse(`${member.name} is encrypted or uses what is not read here`)
    if (members.some(({ name }) => name === member.name)) refuse(`it has two members named ${member.name}`)
    members.push(member)
    at = next
  }
  if (at !== end) refuse("its directory has more than its members")
  const total = members.reduce((sum, { size }) => sum + size, 0)
  if (total > bounds.maxBytes) refuse(`its members have ${total} bytes, more than ${bounds.maxBytes}`)
  const files = new Map<string, Uint8Array>()
  let covered = 0
  for (const member of members.toSorted((one, other) => one.offset - other.offset)) {
    if (member.offset !== covered) refuse("there is something beside its members")
    const [start, after] = dataOf(zip, view, member)
    covered = after
    if (!member.name.endsWith("/")) {
      files.set(member.name, contentOf(zip.subarray(start, start + member.packed), member))
    } else if (member.size !== 0) refuse(`${member.name} is a folder with content`)
  }
  if (covered !== offset) refuse("there is something between its members and its directory")
  return files
}

/** Reads an archive strictly. Never throws. */
export const readZip = (zip: Uint8Array, bounds: ZipBounds): ZipContents => {
  try {
    return { files: read(zip, bounds) }
  } catch (cause) {
    return { problem: cause instanceof Refusal ? cause.problem : "this is not a ZIP file, or it is damaged" }
  }
}
