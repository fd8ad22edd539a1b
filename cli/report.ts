/** What the command says: sentences for people on standard error, or for scripts one JSON object a line on standard output. */

import { cleanLine } from './terminal/clean-text.js'
import { ProgressLine, type Position } from './terminal/progress.js'
import type { Terminal } from './terminal/terminal.js'

/** Something that happened, for scripts. `event` says what. */
export interface ReportedEvent {
  readonly event: string
  readonly [field: string]: unknown
}

/** Milliseconds between two events of progress. */
const PROGRESS_INTERVAL = 1000

export class Report {
  readonly terminal: Terminal
  readonly json: boolean
  /** The server that is talked to, once that is known. */
  server: string | undefined
  /** What to do about the failure that it ends with, for people: said behind the reason. */
  advice: string | undefined
  readonly #lines = new Map<string, ProgressLine>()
  #progressTold = Number.NEGATIVE_INFINITY

  constructor (terminal: Terminal, json: boolean) {
    this.terminal = terminal
    this.json = json
  }

  /** Tells scripts the event, and people the sentence. */
  tell (event: ReportedEvent, sentence?: string): void {
    if (this.json) this.terminal.result(`${JSON.stringify(event)}\n`)
    else if (sentence !== undefined) this.terminal.line(sentence)
  }

  /** For people alone: what scripts know already. */
  say (sentence: string): void {
    if (!this.json) this.terminal.line(sentence)
  }

  /** Something that does not stop the transfer. */
  warn (sentence: string): void {
    if (this.json) this.terminal.result(`${JSON.stringify({ event: 'warning', message: cleanLine(sentence) })}\n`)
    else this.terminal.line(`Warning: ${sentence}`)
  }

  /** How far it has come; only now and then is it shown. */
  progress (verb: 'Sending' | 'Receiving', position: Position): void {
    if (!this.json) {
      const line = this.#lines.get(verb) ?? new ProgressLine(this.terminal, verb)
      this.#lines.set(verb, line)
      line.update(position)
      return
    }
    const now = performance.now()
    if (now - this.#progressTold < PROGRESS_INTERVAL) return
    this.#progressTold = now
    const { done, total, name } = position
    this.tell({ event: 'progress', direction: verb === 'Sending' ? 'send' : 'receive', name, done, total })
  }

  endProgress (): void {
    for (const line of this.#lines.values()) line.clear()
  }
}
