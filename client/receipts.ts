import type { FileId, JoinId } from '../lib/ids.js'
import type { ListedFile } from './answers.js'
import type { SessionEvent } from './events.js'

interface Receipt {
  readonly by: Set<string>
  /** As the list said: how many, not who. */
  counted: number
}

/** Milliseconds for which receipts are gathered before they are counted: they come by the thousand. */
const GATHERING = 20
/** The same where the server's lists have to be read for it. */
const LOOK_INTERVAL = 2000

/** Who of the others has what was sent. It is the server that says so: what it invents looks like a receipt. */
export class Receipts {
  /** When enough of the others have everything, or have left; at once if there is nothing to have. */
  readonly settled: Promise<void>
  readonly #settle: () => void
  readonly #wanted: number
  readonly #recount: () => void
  readonly #files = new Set<FileId>()
  /** Also of files that this process has not yet heard to be sent. */
  readonly #receipts = new Map<FileId, Receipt>()
  readonly #left = new Set<string>()
  /** How many had joined and were not there any more, as the lists said. */
  #gone = 0
  /** Whether events may have been missed: those that come then may tell of what the lists have counted already, or of more. */
  #unsure = false
  #complete = false
  #timer: ReturnType<typeof setTimeout> | undefined

  /**
   * @param wanted - how many receivers there are to be
   * @param recount - reads the server's lists again, for {@link count}
   */
  constructor (wanted: number, recount: () => void) {
    this.#wanted = wanted
    this.#recount = recount
    let settle = (): void => {}
    this.settled = new Promise<void>((resolve) => { settle = resolve })
    this.#settle = settle
  }

  /** A file that is to be received. */
  add (fileId: FileId): void {
    this.#files.add(fileId)
  }

  /** No more will be added. */
  close (): void {
    this.#complete = true
    this.#check()
  }

  onEvent (event: SessionEvent): void {
    if (event.type === 'file.received') this.#receiptOf(event.fileId).by.add(nameOf(event))
    else if (event.type === 'participant.left') this.#left.add(nameOf(event))
    else if (event.type !== 'join.joined') return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      if (this.#unsure) this.#recount()
      else this.#check()
    }, this.#unsure ? LOOK_INTERVAL : GATHERING)
  }

  /**
   * What the server's lists say, for when events may have been missed.
   * @param joined - how many had joined
   * @param there - how many of them are there
   */
  count (listed: Iterable<Pick<ListedFile, 'fileId' | 'received'>>, joined: number, there: number): void {
    for (const { fileId, received } of listed) this.#receiptOf(fileId).counted = received
    this.#gone = Math.max(0, joined - there)
    // Of one receiver it is all the same which of the two it was.
    this.#unsure = joined > 0 && this.#wanted > 1
    this.#check()
  }

  /** How many have all of it. */
  get receivers (): number {
    return this.#files.size === 0 ? 0 : Array.from(this.#files, (id) => this.#number(id)).reduce((least, number) => Math.min(least, number))
  }

  /** How many files somebody has. */
  get received (): number {
    return Array.from(this.#files).filter((id) => this.#number(id) > 0).length
  }

  #check (): void {
    // What has come since the lists were made is looked at with the next ones.
    if (this.#unsure && this.#timer !== undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#complete && Array.from(this.#files).every((id) => this.#number(id) + this.#leftWithout(id) >= this.#wanted)) this.#settle()
  }

  /** How many have certainly left without this file. */
  #leftWithout (id: FileId): number {
    const { by, counted } = this.#receiptOf(id)
    const seen = Array.from(this.#left).filter((who) => !by.has(who)).length
    const unseen = Math.max(0, this.#gone - this.#left.size)
    // Who left may be one of those of whom the list does not say who they are.
    return Math.max(0, seen + unseen - Math.max(0, counted - by.size))
  }

  #number (id: FileId): number {
    const { by, counted } = this.#receiptOf(id)
    return Math.max(by.size, counted)
  }

  #receiptOf (id: FileId): Receipt {
    const receipt = this.#receipts.get(id) ?? { by: new Set<string>(), counted: 0 }
    this.#receipts.set(id, receipt)
    return receipt
  }
}

const nameOf = ({ role, joinId }: { readonly role: string, readonly joinId: JoinId | undefined }): string => joinId ?? role
