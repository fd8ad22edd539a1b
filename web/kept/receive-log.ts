/** What a tab that receives keeps, so that a later one goes on: its membership, what it has saved, and how far the rest has come. */

import { restoreMember, saveMember, type SavedMember } from '../../client/saved-member.js'
import type { Member } from '../../client/session.js'
import type { FileId } from '../../lib/ids.js'
import { KeptSession, type Owner } from './kept-session.js'
import { adoptFolder, removeFiles, tabFolder, type TabFiles } from './tab-folder.js'

/** A stretch of a file, in a file of its own (saving/segmented-file.ts). */
export interface Segment {
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** SHA-256 of the SHA-256 of each of its chunks, base64url. */
  readonly sha256: string
}

/** How far a file has come. */
export interface KeptFile {
  /** Its container's, 92 bytes as base64url: what goes on must be the same. */
  readonly header: string
  readonly segments: readonly Segment[]
}

/** The log, as far as it is about one file. */
export interface FileLog {
  /** `undefined` if nothing of it is there. */
  readonly kept: KeptFile | undefined
  /** Notes what is there; `undefined` when nothing is any more. */
  keep (file: KeptFile | undefined): Promise<void>
}

interface State {
  readonly member: SavedMember
  readonly verifier: string
  /** Where the private file system has the segments; `undefined` where there is none. */
  readonly folder: string | undefined
  readonly files: ReadonlyArray<readonly [FileId, KeptFile]>
  readonly saved: readonly FileId[]
}

/** Who receives. */
export interface Receiver extends Pick<State, 'verifier'> {
  readonly member: Member
}

/** What cannot be written down is gone on with by nobody: where the disk is full, all that was kept is removed, and this tab goes on alone. */
export class ReceiveLog {
  readonly receiver: Receiver
  readonly #session: KeptSession<State>
  readonly #folder: string | undefined
  readonly #files: Map<FileId, KeptFile>
  readonly #saved: Set<FileId>
  #isKept = true

  private constructor (session: KeptSession<State>, receiver: Receiver, { folder, files, saved }: Pick<State, 'folder' | 'files' | 'saved'>) {
    this.receiver = receiver
    this.#session = session
    this.#folder = folder
    this.#files = new Map(files)
    this.#saved = new Set(saved)
  }

  /** @returns `undefined` where nothing can be kept */
  static async create (owner: Owner, { member, verifier }: Receiver): Promise<ReceiveLog | undefined> {
    const begun = { folder: (await tabFolder())?.name, files: [], saved: [] }
    const session = await KeptSession.create<State>(owner, { member: saveMember(member), verifier, ...begun })
    return session && new ReceiveLog(session, { member, verifier }, begun)
  }

  /** Takes up what an earlier tab has kept. @throws ProblemError as {@link KeptSession.open} */
  static async open (owner: Owner): Promise<ReceiveLog> {
    const { session, state, state: { member, verifier, folder } } = await KeptSession.open<State>(owner)
    const now = folder === undefined ? undefined : await adoptFolder(folder)
    return new ReceiveLog(session, { member: restoreMember(member), verifier }, { ...state, folder: now?.name })
  }

  /** Whether a later tab could go on with it. */
  get isKept (): boolean {
    return this.#isKept
  }

  /** Files that this tab or an earlier one has saved. */
  get saved (): ReadonlySet<FileId> {
    return this.#saved
  }

  /** The segments of files that are not saved. */
  get #unfinished (): TabFiles | undefined {
    const folder = this.#folder
    return folder === undefined ? undefined : { folder, names: Array.from(this.#files).flatMap(([fileId, { segments }]) => this.#saved.has(fileId) ? [] : segments.map(({ name }) => name)) }
  }

  /** The log of one file. */
  of (fileId: FileId): FileLog {
    const files = this.#files
    return {
      get kept () { return files.get(fileId) },
      keep: async (file) => {
        if (file === undefined) files.delete(fileId)
        else files.set(fileId, file)
        await this.#write()
      }
    }
  }

  /** Notes that these are saved. */
  async save (fileIds: readonly FileId[]): Promise<void> {
    for (const fileId of fileIds) this.#saved.add(fileId)
    await this.#write()
  }

  /** Leaves it to a later tab, or to this one. */
  keep (): Promise<void> {
    return this.#session.keep()
  }

  /** Keeps it no longer, from a page that goes away. */
  abandon (): void {
    this.#session.abandon()
  }

  /** Keeps it no longer, nor what is not saved. */
  async remove (): Promise<void> {
    if (this.#unfinished !== undefined) await removeFiles(this.#unfinished)
    await this.#session.remove()
  }

  async #write (): Promise<void> {
    const { member, verifier } = this.receiver
    const state = { member: saveMember(member), verifier, folder: this.#folder, files: [...this.#files], saved: [...this.#saved] }
    await this.#session.write(state, this.#unfinished).catch(() => this.#giveUp())
  }

  async #giveUp (): Promise<void> {
    this.#isKept = false
    await this.#session.remove()
  }
}
