import type { BlobWriter } from './blob-store.js'
import type { Release } from './memory-budget.js'

/** Hands results to a writer in the order in which they were announced, not in that in which they are ready. */
export class OrderedWrites {
  readonly #writer: BlobWriter
  readonly #abort: (reason: unknown) => void
  #turn: Promise<unknown> = Promise.resolve()
  #written = Promise.resolve()

  constructor (writer: BlobWriter, abort: (reason: unknown) => void) {
    this.#writer = writer
    this.#abort = abort
  }

  /**
   * @param onWritten - called when the result has been written: nobody needs its memory any more
   * @param release - called when it has been written, or could not be
   */
  add <Result extends Uint8Array> (result: Promise<Result>, onWritten: (written: Result) => void = () => {}, release: Release = () => {}): void {
    const turn = Promise.all([result, this.#turn]).then(([bytes]) => ({ bytes, written: this.#writer.write(bytes) }))
    const written = turn.then(async ({ bytes, written }) => {
      await written
      onWritten(bytes)
    }).finally(release)
    this.#turn = turn
    this.#written = Promise.all([this.#written, written]).then(() => {})
    this.#written.catch(this.#abort)
  }

  /** Waits until all results have been written; throws the first failure. */
  async settled (): Promise<void> {
    await this.#written
  }
}
