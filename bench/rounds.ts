import type { Server } from './process.js'
import type { TestFile } from './test-file.js'

/** One way of moving the file. */
export interface Contender {
  readonly name: string
  readonly server: Server
  /** Moves the file once. @returns seconds */
  transfer (): Promise<number>
  /** Removes what the transfer left. */
  reset (): Promise<void>
  /** Moves the file once more. @returns SHA-256 of what arrived, lowercase hex */
  digest (): Promise<string>
}

/** What one transfer took. */
export interface Sample {
  readonly seconds: number
  readonly bytesPerSecond: number
  /** Of the server, for 10⁹ bytes. */
  readonly cpuSecondsPerGB: number
  /** Share of one core that the client was busy: near 1, it is the client that was measured. */
  readonly clientLoad: number
}

/** What all transfers of one contender took. */
export interface Result {
  readonly name: string
  readonly samples: readonly Sample[]
  /** Bytes. */
  readonly peakMemory: number
}

/**
 * Has the contenders move the same file in turn: A B, A B, … after one transfer each to warm up. At last, outside of all
 * figures, it is checked that each of them moves the right bytes.
 *
 * @throws Error if one does not
 */
export async function runRounds (title: string, contenders: readonly Contender[], file: TestFile, runs: number): Promise<Result[]> {
  const samples = new Map<Contender, Sample[]>(contenders.map((contender) => [contender, []]))
  for (let round = 0; round <= runs; round++) {
    for (const contender of contenders) {
      process.stderr.write(`${title}: ${round === 0 ? 'warming up' : `run ${round} of ${runs}`}, ${contender.name}\n`)
      const sample = await measure(contender, file)
      if (round > 0) samples.get(contender)?.push(sample)
    }
  }
  const results: Result[] = []
  for (const contender of contenders) {
    results.push({ name: contender.name, samples: samples.get(contender) ?? [], peakMemory: contender.server.peakMemory() })
  }
  for (const contender of contenders) {
    if (await contender.digest() !== file.sha256) throw new Error(`${contender.name} has moved something else than the file.`)
    await contender.reset()
  }
  return results
}

async function measure (contender: Contender, { size }: TestFile): Promise<Sample> {
  const serverBefore = contender.server.cpuSeconds()
  const clientBefore = process.cpuUsage()
  const seconds = await contender.transfer()
  const { user, system } = process.cpuUsage(clientBefore)
  const cpuSeconds = contender.server.cpuSeconds() - serverBefore
  await contender.reset()
  return {
    seconds,
    bytesPerSecond: size / seconds,
    cpuSecondsPerGB: cpuSeconds / (size / 1e9),
    clientLoad: (user + system) / 1e6 / seconds
  }
}
