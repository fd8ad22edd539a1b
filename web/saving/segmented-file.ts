/**
 * A file in segments, each a file of its own: what `createWritable` writes appears only when it is closed, so a tab that is killed loses
 * the segment that was being written, and a later tab goes on behind the one before it.
 *
 * Invariant: what an earlier tab has left counts as far as its digests are right. No browser says when a file has reached the disk,
 * and after a power cut it may have its size and not its content.
 */

import { concat, fromBase64url, toBase64url, type Bytes } from '../../lib/crypto/bytes.js'
import { cutChunks } from '../../lib/crypto/chunks.js'
import type { ReceiveStart } from '../../client/receive.js'
import { blobSource } from '../../client/source.js'
import type { FileLog, KeptFile, Segment } from '../kept/receive-log.js'
import type { Start } from './contents.js'
import { failing, writeTo } from './handle-file.js'
import type { PartialFile, Resumption } from './place.js'

/** Bytes after which a segment is closed, and milliseconds: a tab that is killed loses no more than comes in the shorter of both. */
const SEGMENT_SIZE = 2 ** 26
const SEGMENT_TIME = 10_000

/** What an earlier tab has left of a file. */
interface Held {
  readonly segments: readonly Segment[]
  /** Of the chunks of the last one. */
  readonly digests: readonly Bytes[]
}

/** The segment that is being written. */
interface Open {
  readonly name: string
  readonly file: PartialFile
  readonly since: number
  size: number
  readonly digests: Array<Promise<Bytes>>
}

export class SegmentedFile implements PartialFile {
  /** Where to go on. */
  readonly start: Start
  readonly #folder: FileSystemDirectoryHandle
  readonly #log: FileLog
  #held: Held
  #header: Bytes | undefined
  #open: Open | undefined

  private constructor (folder: FileSystemDirectoryHandle, log: FileLog, held: Held) {
    this.#folder = folder
    this.#log = log
    this.#held = held
    this.#header = log.kept && fromBase64url(log.kept.header)
    this.start = { from: sizeOf(held), header: this.#header, onStart: async (start) => { await this.#begin(start) } }
  }

  /** Takes up what the log knows of a file, or begins it. */
  static async open (folder: FileSystemDirectoryHandle, resumption: Resumption): Promise<SegmentedFile> {
    const { log } = resumption
    if (log.kept === undefined) return new SegmentedFile(folder, log, NOTHING)
    const held = await intact(folder, log.kept, resumption)
    await removeOthers(folder, log.kept, held)
    return new SegmentedFile(folder, log, held)
  }

  /** @param chunk - one whole chunk of the file; only its last one is shorter */
  async write (chunk: Bytes): Promise<void> {
    this.#open ??= await this.#next()
    const open = this.#open
    open.digests.push(sha256(chunk))
    open.size += chunk.length
    await open.file.write(chunk)
    if (open.size >= SEGMENT_SIZE || performance.now() - open.since >= SEGMENT_TIME) await this.#close()
  }

  async finish (): Promise<Blob> {
    await this.#close()
    // What was cut off is still there, behind the size.
    return new Blob(await Promise.all(this.#held.segments.map(async ({ name, size }) => (await fileIn(this.#folder, name)).slice(0, size))))
  }

  async suspend (): Promise<void> {
    const open = this.#open
    // Where it cannot be closed, the disk may be full: what was closed before it stays.
    await this.#close().catch(() => open?.file.discard())
  }

  async discard (): Promise<void> {
    await this.#open?.file.discard()
    this.#open = undefined
    for (const { name } of this.#held.segments) await this.#folder.removeEntry(name).catch(() => undefined)
    await this.#log.keep(undefined)
  }

  /** The last chunk that is held comes again. */
  async #begin ({ at, header }: ReceiveStart): Promise<void> {
    this.#header = header
    const before = this.#held
    this.#held = await cutTo(before, at)
    await removeOthers(this.#folder, before, this.#held)
  }

  async #next (): Promise<Open> {
    const name = crypto.randomUUID()
    const handle = await failing(() => this.#folder.getFileHandle(name, { create: true }))
    const file = await writeTo(handle, { finish: () => Promise.resolve(undefined), discard: () => this.#folder.removeEntry(name) })
    return { name, file, since: performance.now(), size: 0, digests: [] }
  }

  async #close (): Promise<void> {
    const open = this.#open
    if (open === undefined || this.#header === undefined) return
    this.#open = undefined
    await open.file.finish()
    const digests = await Promise.all(open.digests)
    this.#held = { segments: [...this.#held.segments, await segmentOf(open, digests)], digests }
    await this.#log.keep({ header: toBase64url(this.#header), segments: this.#held.segments })
  }
}

const NOTHING: Held = { segments: [], digests: [] }

const segmentOf = async ({ name, size }: Pick<Segment, 'name' | 'size'>, digests: readonly Bytes[]): Promise<Segment> =>
  ({ name, size, sha256: toBase64url(await sha256(concat(...digests))) })

type Check = Pick<Resumption, 'signal' | 'onChecked'>

/** The segments from the first one on that are as they were written. */
async function intact (folder: FileSystemDirectoryHandle, { header, segments }: KeptFile, check: Check): Promise<Held> {
  const chunkSize = 2 ** (fromBase64url(header)[6] ?? 0)
  let held = NOTHING
  for (const segment of segments) {
    const digests = await digestsOf(folder, segment, chunkSize, check).catch(() => undefined)
    check.signal.throwIfAborted()
    if (digests === undefined || (await segmentOf(segment, digests)).sha256 !== segment.sha256) break
    held = { segments: [...held.segments, segment], digests }
  }
  return held
}

/** @throws what the browser says where it is not there, or cannot be read */
async function digestsOf (folder: FileSystemDirectoryHandle, { name, size }: Segment, chunkSize: number, { signal, onChecked }: Check): Promise<readonly Bytes[]> {
  const digests: Bytes[] = []
  const content = blobSource((await fileIn(folder, name)).slice(0, size), { name }).read(0, signal)
  for await (const { bytes } of cutChunks(content, chunkSize)) {
    signal.throwIfAborted()
    digests.push(await sha256(bytes))
    onChecked(bytes.length)
  }
  return digests
}

/** What lies before `at`: all of it, or all but the last chunk. */
async function cutTo (held: Held, at: number): Promise<Held> {
  const last = held.segments.at(-1)
  const surplus = sizeOf(held) - at
  if (last === undefined || surplus === 0) return held
  const before = held.segments.slice(0, -1)
  const digests = held.digests.slice(0, -1)
  return { digests, segments: digests.length === 0 ? before : [...before, await segmentOf({ ...last, size: last.size - surplus }, digests)] }
}

/** Removes the segments that do not count any more. */
async function removeOthers (folder: FileSystemDirectoryHandle, before: Pick<Held, 'segments'>, now: Held): Promise<void> {
  const names = new Set(now.segments.map(({ name }) => name))
  for (const { name } of before.segments) if (!names.has(name)) await folder.removeEntry(name).catch(() => undefined)
}

const sizeOf = ({ segments }: Pick<Held, 'segments'>): number => segments.reduce((sum, { size }) => sum + size, 0)
const sha256 = async (bytes: Bytes): Promise<Bytes> => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
const fileIn = async (folder: FileSystemDirectoryHandle, name: string): Promise<File> => await (await folder.getFileHandle(name)).getFile()
