/** Asking before anything is taken: which files there are, how large, and what is to be done where there is something already. */

import type { OfferedFile } from '../../client/offers.js'
import type { OutputFolder } from '../files/output-folder.js'
import { safePath } from '../../client/safe-path.js'
import type { Report } from '../report.js'
import { choose } from '../terminal/prompts.js'
import { count, fitColumns, formatSize } from '../terminal/format.js'

export interface AcceptanceOptions {
  /** Takes everything without being asked. */
  readonly yes: boolean
  /** Replaces what is there. */
  readonly force: boolean
}

/** What is to become of a file. */
export interface Accepted {
  readonly file: OfferedFile
  /** Whether it takes the place of what is there. */
  readonly replace: boolean
}

export interface Answer {
  readonly accepted: readonly Accepted[]
  readonly skipped: readonly OfferedFile[]
}

/** Files that are shown by name. */
const SHOWN = 20

type Existing = 'r' | 'k' | 's'

/** Puts the questions, and remembers the answers that were given for all. */
export class Acceptance {
  readonly #options: AcceptanceOptions
  readonly #report: Report
  readonly #folder: OutputFolder
  #all: boolean
  #shown = false
  #existing: Existing | undefined

  constructor (report: Report, folder: OutputFolder, options: AcceptanceOptions) {
    this.#report = report
    this.#folder = folder
    this.#options = options
    this.#all = options.yes
    this.#existing = options.force ? 'r' : report.terminal.interactive ? undefined : 'k'
  }

  /**
   * Shows what is offered and asks.
   * @param more - whether more may follow
   * @returns `undefined` if it is declined
   */
  async ask (files: readonly OfferedFile[], more: boolean, signal: AbortSignal): Promise<Answer | undefined> {
    this.#show(files, more)
    if (!this.#all) {
      if (!this.#report.terminal.interactive) return undefined
      const choices = more ? '[y]es, [a]ll, also what follows, [N]o' : '[y]es, [N]o'
      const answer = await choose(this.#report.terminal, `Receive ${files.length === 1 ? 'it' : 'them'} into ${this.#folder.path}? ${choices}:`, ['y', 'a', 'n'], signal)
      if (answer === 'n') return undefined
      this.#all = answer === 'a'
    }
    return await this.#settle(files, signal)
  }

  async #settle (files: readonly OfferedFile[], signal: AbortSignal): Promise<Answer> {
    const accepted: Accepted[] = []
    const skipped: OfferedFile[] = []
    for (const file of files) {
      const existing = await this.#inItsPlace(file, signal)
      if (existing === 's') skipped.push(file)
      else accepted.push({ file, replace: existing === 'r' })
    }
    return { accepted, skipped }
  }

  async #inItsPlace (file: OfferedFile, signal: AbortSignal): Promise<Existing> {
    if (file.kind !== undefined || this.#existing !== undefined || this.#options.yes) return this.#existing ?? 'k'
    if (!await this.#folder.isTaken(file.name)) return 'k'
    const question = `${shownName(file)} is there already. [r]eplace it, [k]eep both (default), [s]kip; R, K, S for all:`
    const answer = await choose(this.#report.terminal, question, ['r', 's', 'R', 'K', 'S', 'k'], signal)
    const chosen: Existing = answer === 'r' || answer === 'R' ? 'r' : answer === 's' || answer === 'S' ? 's' : 'k'
    if (answer === 'R' || answer === 'K' || answer === 'S') this.#existing = chosen
    return chosen
  }

  #show (files: readonly OfferedFile[], more: boolean): void {
    const sizes = files.map(({ size }) => size)
    const total = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
    const known = sizes.includes(null) ? `${formatSize(total)} and what nobody knows the size of` : formatSize(total)
    const listed = files.map(({ fileId, name, size, kind = 'file', state }) => ({ file_id: fileId, name: safePath(name).join('/'), size, kind, state }))
    this.#report.tell({ event: 'offered', files: listed, more }, `Offered: ${count(files.length, 'file')}, ${known}${more ? ' so far; the sender may be adding more' : ''}`)
    // Whoever has said yes to all that follows wants to see no more than that it comes.
    if (this.#all && this.#shown) return
    this.#shown = true
    for (const file of files.slice(0, SHOWN)) this.#report.say(this.#row(file))
    if (files.length > SHOWN) this.#report.say(`… and ${(files.length - SHOWN).toLocaleString('en')} more`)
    const hidden = files.filter(({ name }) => safePath(name).some((component) => component.startsWith('.'))).length
    if (hidden > 0) this.#report.say(`Note: ${count(hidden, 'name')} begin${hidden === 1 ? 's' : ''} with a dot, so a file manager does not show ${hidden === 1 ? 'it' : 'them'}.`)
  }

  #row (file: OfferedFile): string {
    const size = file.kind === 'directory' ? 'folder' : file.kind === 'text' ? 'text' : file.size === null ? '?' : formatSize(file.size)
    return `${size.padStart(9, '\u2007')}  ${fitColumns(shownName(file), this.#report.terminal.columns - 12)}`
  }
}

const shownName = ({ name }: OfferedFile): string => safePath(name).join('/')
