/** Milliseconds over which a speed is an average: long enough to be steady, short enough to follow a change. */
const WINDOW = 5000
/** Milliseconds without news that say nothing yet. */
const LULL = 2000

interface Sample { readonly time: number, readonly bytes: number }

/** How fast something goes, over the last seconds. */
export class Speed {
  readonly #samples: Sample[] = []

  /**
   * @param bytes - how far it has come in all
   * @param time - milliseconds, from a clock that never goes back
   */
  add (bytes: number, time: number): void {
    const latest = this.#samples.at(-1)
    // What begins again from an earlier place was not slow: it is measured anew.
    if (latest !== undefined && bytes < latest.bytes) this.#samples.length = 0
    this.#samples.push({ time, bytes })
    // One sample from before the window stays, where it begins.
    while ((this.#samples[1]?.time ?? Number.POSITIVE_INFINITY) <= time - WINDOW) this.#samples.shift()
  }

  /** Bytes in a second; `undefined` while there is too little to tell. */
  get bytesPerSecond (): number | undefined {
    return this.at(this.#samples.at(-1)?.time ?? 0)
  }

  /**
   * Bytes in a second, where nothing has been added until `time`: less and less, once that takes longer than it did before. What
   * comes in large pieces does not come slower between them.
   */
  at (time: number): number | undefined {
    const [first] = this.#samples
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.time - first.time < 500) return undefined
    const longestGap = this.#samples.reduce((longest, sample, i) => Math.max(longest, sample.time - (this.#samples[i - 1] ?? first).time), 0)
    const until = time - last.time > Math.max(LULL, 1.5 * longestGap) ? time : last.time
    return (last.bytes - first.bytes) / (until - first.time) * 1000
  }
}
