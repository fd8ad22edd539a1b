/** Writing what is received: large files as they come, small ones by the batch; each noted so that another run can go on. */

import { ahead } from '../../client/ahead.js'
import type { DirectReceiving } from '../../client/direct-receiving.js'
import { receiveMany, isSmallOffer } from '../../client/receive-many.js'
import { receiveFile, type Digest } from '../../client/receive.js'
import { isClientError, type ClientError } from '../../client/errors.js'
import type { OfferedFile } from '../../client/offers.js'
import type { Connection, Member } from '../../client/session.js'
import type { Bytes } from '../../lib/crypto/bytes.js'
import { Checksum } from '../../lib/files/checksum.js'
import { discardOwn } from '../../lib/files/discard.js'
import { isThere } from '../files/is-there.js'
import type { OutputFolder } from '../files/output-folder.js'
import { removePartial, type PartialFile } from '../files/partial-file.js'
import type { ReceiveJournal } from '../state/receive-journal.js'
import type { Accepted } from './acceptance.js'

/** What became of a file. */
export type Received =
  | { readonly file: OfferedFile, readonly path: string, readonly size: number }
  | { readonly file: OfferedFile, readonly text: string }
  | { readonly file: OfferedFile, readonly error: ClientError }

export interface FileReceiverOptions {
  readonly connection: Connection
  readonly member: Member
  readonly folder: OutputFolder
  readonly journal: ReceiveJournal
  readonly direct?: DirectReceiving | undefined
  readonly onBytes: (file: OfferedFile, bytes: number) => void
  readonly signal: AbortSignal
}

/** Files that are put in place together. */
const BATCH = 250
/** How many of them are written at one time. */
const WRITERS = 16
/** Bytes after which what was written is brought to the disk, and noted. */
const SYNC_INTERVAL = 2 ** 27
/** Bytes of the longest text that is shown; a longer one is written to a file. */
const MAX_TEXT = 2 ** 18

export class FileReceiver {
  readonly #options: FileReceiverOptions
  /** Partial files that are open. */
  readonly #open = new Set<PartialFile>()

  constructor (options: FileReceiverOptions) {
    this.#options = options
  }

  /** Receives everything there is, of files that are still being sent as well. Failures of single files are told as theirs. */
  async * receive (files: readonly Accepted[]): AsyncGenerator<readonly Received[], void, undefined> {
    const fresh: Accepted[] = []
    for (const accepted of files) {
      const placed = await this.#place(accepted)
      if (placed === undefined) fresh.push(accepted)
      else yield [placed]
    }
    yield * this.#receiveSmall(fresh.filter(({ file }) => isSmallOffer(file) && file.kind !== 'directory'))
    for (const accepted of fresh) {
      if (accepted.file.kind === 'directory') yield [await this.#makeFolder(accepted.file)]
      else if (!isSmallOffer(accepted.file)) yield [await this.#receiveLarge(accepted)]
    }
  }

  /** Closes what is open: to be gone on with, or removed. */
  async end (keep: boolean): Promise<void> {
    for (const partial of this.#open) await (keep ? partial.keep() : partial.discard())
    this.#open.clear()
    // An earlier run may have left what nobody asked for again.
    if (!keep) for (const path of this.#options.journal.unfinished) await removePartial(path)
  }

  /**
   * A file that an earlier run had received as a whole needs its name at most.
   * @returns `undefined` for any other, and for one that has no name yet and lies where it does not get one now
   */
  async #place ({ file, replace }: Accepted): Promise<Received | undefined> {
    const { journal, folder } = this.#options
    const entry = journal.find(file.fileId)
    if (entry?.whole !== true) return undefined
    const partial = await folder.reopenPartial(file.name, entry.path)
    if (partial === undefined && await isThere(entry.path)) return undefined
    const size = await partial?.size() ?? file.size ?? 0
    return { file, size, path: await partial?.finish(finishOf(file, replace)) ?? entry.path }
  }

  async #makeFolder (file: OfferedFile): Promise<Received> {
    return { file, size: 0, path: await this.#options.folder.makeFolder(file.name) }
  }

  async * #receiveSmall (files: readonly Accepted[]): AsyncGenerator<readonly Received[], void, undefined> {
    const { connection, member, signal, onBytes } = this.#options
    const replaces = new Map(files.map(({ file, replace }) => [file.fileId, replace]))
    let batch: Small[] = []
    for await (const one of receiveMany(connection, member, files.map(({ file }) => file), { signal })) {
      if ('error' in one) {
        yield [one]
        continue
      }
      onBytes(one.file, one.content.length)
      if (one.file.kind === 'text' && one.content.length <= MAX_TEXT) yield [{ file: one.file, text: new TextDecoder().decode(one.content) }]
      else batch.push({ ...one, replace: replaces.get(one.file.fileId) ?? false })
      if (batch.length < BATCH) continue
      yield await this.#writeBatch(batch)
      batch = []
    }
    yield await this.#writeBatch(batch)
  }

  /** Writes them all, then notes that they are whole, then gives them their names. */
  async #writeBatch (batch: readonly Small[]): Promise<readonly Received[]> {
    if (batch.length === 0) return []
    const { folder, journal } = this.#options
    const planned = []
    for (const small of batch) planned.push({ ...small, plan: await folder.plan(small.file.name) })
    await journal.planned(planned.map(({ file: { fileId }, plan: { path }, replace }) => ({ fileId, path, replace })))
    const written = await inParallel(planned, async (small) => {
      const partial = await folder.create(small.plan)
      this.#open.add(partial)
      await partial.write(small.content)
      await partial.seal(finishOf(small.file, small.replace))
      return { ...small, partial }
    })
    await journal.whole(batch.map(({ file: { fileId } }) => fileId))
    return await inParallel(written, async ({ file, content, replace, partial }) => {
      const path = await partial.place(replace)
      this.#open.delete(partial)
      return { file, size: content.length, path }
    })
  }

  async #receiveLarge ({ file, replace }: Accepted): Promise<Received> {
    const { connection, member, journal, direct, signal, onBytes } = this.#options
    const { partial, from, header } = await this.#partialFor({ file, replace })
    this.#open.add(partial)
    const digest = member.kind === 'managed' ? newDigest() : undefined
    let synced = from
    let size = from
    try {
      const onStart = async (start: { readonly at: number, readonly header: Bytes | undefined }): Promise<void> => {
        if (header === undefined && start.header !== undefined) await journal.header(file.fileId, start.header)
        await partial.continueAt(start.at)
        size = synced = start.at
        onBytes(file, start.at)
      }
      for await (const bytes of ahead((signal) => receiveFile(connection, member, file, { from, header, onStart, digest, direct, signal }), signal)) {
        const { length } = bytes
        await partial.write(bytes)
        discardOwn(bytes)
        onBytes(file, length)
        size += length
        if (size - synced < SYNC_INTERVAL) continue
        await partial.sync()
        await journal.synced(file.fileId, size)
        synced = size
      }
      await partial.seal(finishOf(file, replace))
      await journal.whole([file.fileId])
      this.#open.delete(partial)
      return { file, size, path: await partial.place(replace) }
    } catch (error) {
      if (!isOfThisFile(error)) throw error
      this.#open.delete(partial)
      await partial.discard()
      return { file, error }
    }
  }

  /** The partial file of an earlier run, or a new one. */
  async #partialFor ({ file, replace }: Accepted): Promise<{ readonly partial: PartialFile, readonly from: number, readonly header: Bytes | undefined }> {
    const { folder, journal, member } = this.#options
    const known = journal.find(file.fileId)
    const earlier = known === undefined ? undefined : await folder.reopenPartial(file.name, known.path)
    // A managed file is checked by a digest over all of it, so all of it has to come.
    if (known !== undefined && earlier !== undefined && member.kind === 'end-to-end') {
      const held = await earlier.size()
      return { partial: earlier, from: journal.sameBoot ? held : Math.min(held, known.synced), header: known.header }
    }
    await earlier?.discard()
    const plan = await folder.plan(file.name)
    await journal.planned([{ fileId: file.fileId, path: plan.path, replace }])
    return { partial: await folder.create(plan), from: 0, header: undefined }
  }
}

interface Small {
  readonly file: OfferedFile
  readonly content: Bytes
  readonly replace: boolean
}

/** What is wrong with one file, while others may still come. */
const isOfThisFile = (error: unknown): error is ClientError => isClientError(error, 'FILE_DAMAGED', 'FILE_NOT_FOUND', 'DOWNLOADS_USED_UP')

function newDigest (): Digest {
  const checksum = new Checksum()
  return { update: (bytes) => { checksum.update(bytes) }, hex: () => checksum.digest() }
}

const finishOf = ({ modified, mode = 0 }: OfferedFile, replace: boolean) => ({ modified: new Date(modified), executable: (mode & 0o100) !== 0, replace })

/** Applies `work` to all, to several at one time; the first failure is the failure of all, when none is under way any more. */
async function inParallel<In, Out> (items: readonly In[], work: (item: In) => Promise<Out>): Promise<readonly Out[]> {
  const results: Out[] = []
  const rest = items.entries()
  const workers = await Promise.allSettled(Array.from({ length: WRITERS }, async () => {
    for (const [i, item] of rest) results[i] = await work(item)
  }))
  for (const worker of workers) if (worker.status === 'rejected') throw worker.reason
  return results
}
