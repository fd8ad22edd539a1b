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

/** Who of the others has what was sent. It is the server that says so: what it invents looks like a receipt. */
export class Receipts {
  /** When enough of the others have everything, or have left; at once if there is nothing to have. */
  readonly settled: Promise<void>
  readonly #settle: () => void
  readonly #wanted: number
  readonly #files = new Set<FileId>()
  /** Also of files that this process has not yet heard to be sent. */
  readonly #receipts = new Map<FileId, Receipt>()
  readonly #left = new Set<string>()
  /** How many have left while nobody listened. */
  #leftUnseen = 0
  #complete = false
  #timer: ReturnType<typeof setTimeout> | undefined

  /** @param wanted - how many receivers there are to be */
  constructor (wanted: number) {
    this.#wanted = wanted
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
    else return
    this.#timer ??= setTimeout(() => { this.#check() }, GATHERING)
  }

  /**
   * What the server's lists say, for when events may have been missed.
   * @param gone - how many had joined and are not there any more
   */
  count (listed: Iterable<Pick<ListedFile, 'fileId' | 'received'>>, gone: number): void {
    for (const { fileId, received } of listed) this.#receiptOf(fileId).counted = received
    this.#leftUnseen = Math.max(0, gone - this.#left.size)
    this.#check()
  }

  /** How many have all of it. */
  get receivers (): number {
    return this.#least((id) => this.#number(id))
  }

  /** How many files somebody has. */
  get received (): number {
    return Array.from(this.#files).filter((id) => this.#number(id) > 0).length
  }

  #check (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (!this.#complete) return
    if (this.#files.size === 0) {
      this.#settle()
      return
    }
    const leftWithout = Array.from(this.#left).filter((who) => Array.from(this.#files).some((id) => !this.#receiptOf(id).by.has(who)))
    // Whoever left unseen may be one of those that the list counts.
    const leftUnseenWithout = Math.max(0, this.#leftUnseen - this.#least((id) => this.#receiptOf(id).counted))
    if (this.receivers + leftWithout.length + leftUnseenWithout >= this.#wanted) this.#settle()
  }

  #least (numberOf: (id: FileId) => number): number {
    return this.#files.size === 0 ? 0 : Array.from(this.#files, numberOf).reduce((least, number) => Math.min(least, number))
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
