/**
 * The streams of the command: results go to standard output, everything else to standard error, so that a pipe gets nothing but
 * results. Invariant: what is written here as a line has been cleaned of escapes, wherever it came from.
 */

import type { Readable, Writable } from 'node:stream'
import { cleanLine } from './clean-text.js'

const ERASE_LINE = '\r\x1b[2K'

/** The streams of a process. */
export interface Streams {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable
  readonly stderr: Writable & { readonly isTTY?: boolean, readonly columns?: number }
}

/** What somebody sees, and where he types. */
export class Terminal {
  readonly input: Readable
  readonly #output: Writable
  readonly #errors: Writable
  /** Whether somebody can be asked. */
  readonly interactive: boolean
  /** Whether a line can be written over. */
  readonly #redraws: boolean
  readonly #columns: () => number
  #status = ''
  #held = false

  constructor ({ stdin, stdout, stderr }: Streams) {
    this.input = stdin
    this.#output = stdout
    this.#errors = stderr
    this.interactive = stdin.isTTY === true && stderr.isTTY === true
    this.#redraws = stderr.isTTY === true && process.env['TERM'] !== 'dumb'
    this.#columns = () => stderr.columns ?? 0
  }

  /** Columns of the screen. */
  get columns (): number {
    return this.#redraws && this.#columns() > 0 ? this.#columns() : 80
  }

  /** Whether there is a line of status that moves. */
  get hasStatus (): boolean {
    return this.#redraws
  }

  /** The stream on which questions are asked. */
  get questions (): Writable {
    return this.#errors
  }

  /** Writes a result. It has been cleaned already, where that is due. */
  result (text: string): void {
    this.#erase()
    this.#output.write(text)
    this.#draw()
  }

  /** Writes one line for people. */
  line (text = ''): void {
    this.#erase()
    this.#errors.write(`${cleanLine(text)}\n`)
    this.#draw()
  }

  /** Writes lines that this program made itself, spaces and all: never what came from elsewhere. */
  block (text: string): void {
    this.#erase()
    this.#errors.write(`${text}\n`)
    this.#draw()
  }

  /** The line at the bottom that is written over again and again; an empty text removes it. */
  status (text: string): void {
    if (!this.#redraws || this.#held) return
    this.#erase()
    this.#status = cleanLine(text)
    this.#draw()
  }

  /** Keeps the line at the bottom away while something else needs the screen. */
  async without<T> (work: () => Promise<T>): Promise<T> {
    this.status('')
    this.#held = true
    try {
      return await work()
    } finally {
      this.#held = false
    }
  }

  #erase (): void {
    if (this.#status !== '') this.#errors.write(ERASE_LINE)
  }

  #draw (): void {
    if (this.#status !== '') this.#errors.write(this.#status)
  }
}
