import { openOffer, type Offer } from './offers.js'
import { patiently } from './retry.js'
import { apiOf, type Connection, type Member } from './session.js'
import type { FileId } from '../lib/ids.js'

/** The offers of a session that grows: each is looked at once, however often the list is asked for. */
export class OfferList {
  readonly #connection: Connection
  readonly #member: Member
  readonly #own: () => ReadonlySet<FileId>
  readonly #seen = new Set<FileId>()
  /** Of the last page there was: what is new comes behind what was there. */
  #cursor: string | undefined

  /** @param own - the ids that this side has written */
  constructor (connection: Connection, member: Member, own: () => ReadonlySet<FileId>) {
    this.#connection = connection
    this.#member = member
    this.#own = own
  }

  /** What has been added since the last time. */
  async fresh (signal: AbortSignal): Promise<readonly Offer[]> {
    const api = apiOf(this.#connection, this.#member)
    const offers: Offer[] = []
    for (;;) {
      const { files, nextCursor } = await patiently(() => api.files({ cursor: this.#cursor, signal }), signal)
      const unseen = files.filter(({ fileId }) => !this.#seen.has(fileId))
      for (const { fileId } of unseen) this.#seen.add(fileId)
      const own = this.#own()
      const opened = await Promise.all(unseen.map((file) => openOffer(this.#member, file, { own })))
      offers.push(...opened.filter((offer) => offer !== undefined))
      if (nextCursor === null) return offers
      this.#cursor = nextCursor
    }
  }
}
