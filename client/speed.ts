/** Milliseconds over which a speed is an average: long enough to be steady, short enough to follow a change. */
const WINDOW = 5000

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
    const [first] = this.#samples
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.time - first.time < 500) return undefined
    return (last.bytes - first.bytes) / (last.time - first.time) * 1000
  }
}
