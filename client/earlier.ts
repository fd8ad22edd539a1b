/** Which small sources an earlier process has sent already. */

import type { FileId } from '../lib/ids.js'
import { forgetUpload, isSame } from './begin-upload.js'
import type { SendEntry } from './journal.js'
import { allFiles } from './list.js'
import type { KeyedSource, Sender, SentFile } from './sender.js'

/** What the journal, and where that does not know the outcome the server's list, say of small sources. */
export class Earlier {
  readonly #sender: Sender
  #stored: Promise<ReadonlySet<FileId>> | undefined

  constructor (sender: Sender) {
    this.#sender = sender
  }

  /** Divides sources into those that have been sent and those that wait for it. What has changed since is removed and waits. */
  async divide (sources: readonly KeyedSource[]): Promise<{ readonly sent: readonly SentFile[], readonly waiting: readonly KeyedSource[] }> {
    const { journal } = this.#sender
    if (journal === undefined) return { sent: [], waiting: sources }
    const sent: SentFile[] = []
    const waiting: KeyedSource[] = []
    for (const keyed of sources) {
      const entry = await journal.load(keyed.key)
      const file = entry && await this.#look(keyed, entry)
      if (file === undefined) waiting.push(keyed)
      else sent.push(file)
    }
    return { sent, waiting }
  }

  async #look ({ source, key }: KeyedSource, { record, done }: SendEntry): Promise<SentFile | undefined> {
    const { fileId } = record
    if (!isSame(record, source)) {
      await forgetUpload(this.#sender, fileId)
      return undefined
    }
    if (!done && !(await this.#onServer()).has(fileId)) return undefined
    if (!done) await this.#sender.journal?.done([key])
    return { source, fileId, size: source.size ?? 0, resumed: true }
  }

  #onServer (): Promise<ReadonlySet<FileId>> {
    this.#stored ??= this.#list()
    return this.#stored
  }

  async #list (): Promise<ReadonlySet<FileId>> {
    const stored = new Set<FileId>()
    for await (const { fileId, state } of allFiles(this.#sender.api, this.#sender.signal)) {
      if (state === 'ready') stored.add(fileId)
    }
    return stored
  }
}
