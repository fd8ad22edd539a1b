import { open, type FileHandle } from 'node:fs/promises'
import type { Sealing } from '../../client/sealing.js'
import { fromBase64url, toBase64url, utf8 } from '../../lib/crypto/bytes.js'

/**
 * A file to which sealed lines of JSON are added. Invariant: when `append` has returned, the line outlives the process and the
 * machine; a line torn by a crash, and anything behind it, is dropped when the log is opened again.
 */
export class SealedLog<Line extends object> {
  readonly #file: FileHandle
  readonly #sealing: Sealing
  readonly #name: string
  #lines: number
  #position: number
  #last: Promise<unknown> = Promise.resolve()

  private constructor (file: FileHandle, name: string, sealing: Sealing, { lines, position }: { readonly lines: number, readonly position: number }) {
    this.#file = file
    this.#name = name
    this.#sealing = sealing
    this.#lines = lines
    this.#position = position
  }

  /**
   * Opens a log, and makes it if there is none.
   * @param name - of the log: its lines open in no other one
   * @param onLine - called with each line that is there, in order
   */
  static async open<Line extends object> (path: string, { name, sealing, onLine }: { readonly name: string, readonly sealing: Sealing, readonly onLine: (line: Line) => void }): Promise<SealedLog<Line>> {
    const file = await open(path, 'a+', 0o600)
    let lines = 0
    let position = 0
    for (const line of (await file.readFile('latin1')).split('\n').slice(0, -1)) {
      const opened = await sealing.open(`${name}:${lines}`, bytesOf(line))
      if (opened === undefined) break
      onLine(JSON.parse(new TextDecoder().decode(opened)) as Line)
      lines += 1
      position += line.length + 1
    }
    await file.truncate(position)
    return new SealedLog<Line>(file, name, sealing, { lines, position })
  }

  /** Adds a line; the next one waits until it is safe. */
  append (line: Line): Promise<void> {
    const appended = this.#last.then(() => this.#append(line))
    this.#last = appended.catch(() => {})
    return appended
  }

  async close (): Promise<void> {
    await this.#last
    await this.#file.close()
  }

  async #append (line: Line): Promise<void> {
    const sealed = await this.#sealing.seal(`${this.#name}:${this.#lines}`, utf8(JSON.stringify(line)))
    const text = `${toBase64url(sealed)}\n`
    try {
      await this.#file.write(text)
      await this.#file.datasync()
    } catch (error) {
      // Half a line would take the next one with it.
      await this.#file.truncate(this.#position).catch(() => {})
      throw error
    }
    this.#lines += 1
    this.#position += text.length
  }
}

function bytesOf (line: string): Uint8Array<ArrayBuffer> {
  try {
    return fromBase64url(line)
  } catch {
    return new Uint8Array()
  }
}
