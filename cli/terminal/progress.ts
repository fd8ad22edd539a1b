import { fitColumns, formatDuration, formatSize } from './format.js'
import { Speed } from '../../client/speed.js'
import type { Terminal } from './terminal.js'

/** Milliseconds between two states of the line, and between those of one on which nothing happens. */
const REDRAW = 100
const REDRAW_IDLE = 1000
/** Columns of a file's name, at least. */
const LEAST_NAME = 12

/** How far something has come. */
export interface Position {
  /** What is under way at the moment. */
  readonly name: string
  readonly done: number
  /** `null`: unknown. */
  readonly total: number | null
  /** Files that are whole, of so many. */
  readonly files?: readonly [done: number, total: number]
}

/** One line with the share that is done, the speed and the time left. */
export class ProgressLine {
  readonly #terminal: Terminal
  readonly #verb: string
  readonly #now: () => number
  readonly #speed = new Speed()
  #drawn = Number.NEGATIVE_INFINITY
  #position: Position | undefined
  #idle: NodeJS.Timeout | undefined

  /** @param verb - what is done: `Sending` */
  constructor (terminal: Terminal, verb: string, now: () => number = () => performance.now()) {
    this.#terminal = terminal
    this.#verb = verb
    this.#now = now
  }

  update (position: Position): void {
    const now = this.#now()
    this.#position = position
    if (now - this.#drawn < REDRAW) return
    this.#speed.add(position.done, now)
    this.#draw(now)
    // While nothing comes, the speed of before is not the speed of now.
    this.#idle ??= setInterval(() => { this.#draw(this.#now()) }, REDRAW_IDLE).unref()
  }

  #draw (now: number): void {
    if (this.#position === undefined || now - this.#drawn < REDRAW) return
    this.#drawn = now
    this.#terminal.status(progressText(this.#verb, this.#position, this.#speed.at(now), this.#terminal.columns - 1))
  }

  clear (): void {
    clearInterval(this.#idle)
    this.#idle = undefined
    this.#position = undefined
    this.#terminal.status('')
    this.#drawn = Number.NEGATIVE_INFINITY
  }
}

/** `Sending  45 %  1.20 GiB of 2.66 GiB  210 MiB/s  7 s left  file.bin`, in as many columns as there are. */
export function progressText (verb: string, { name, done, total, files }: Position, bytesPerSecond: number | undefined, columns: number): string {
  const parts = [
    verb,
    total === null ? formatSize(done) : `${share(done, total)} %  ${formatSize(done)} of ${formatSize(total)}`,
    files !== undefined && files[1] > 1 ? `${files[0]}/${files[1]} files` : '',
    bytesPerSecond === undefined ? '' : `${formatSize(bytesPerSecond)}/s`,
    timeLeft(done, total, bytesPerSecond)
  ].filter((part) => part !== '').join('  ')
  const room = columns - parts.length - 2
  return room < LEAST_NAME ? fitColumns(parts, columns) : `${parts}  ${fitColumns(name, room)}`
}

// 100 only for what is complete.
const share = (done: number, total: number): number => total === 0 ? 100 : Math.min(100, Math.floor(done / total * 100))

function timeLeft (done: number, total: number | null, bytesPerSecond: number | undefined): string {
  if (total === null || bytesPerSecond === undefined || done >= total) return ''
  return bytesPerSecond < 1 ? 'stalled' : `${formatDuration((total - done) / bytesPerSecond)} left`
}
