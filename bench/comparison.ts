import { extent, formatSize, median, type Mark, type Report } from './table.js'
import type { Result, Sample } from './rounds.js'
import type { TestFile } from './test-file.js'

const MB = 1e6

/** How our own contender stands to another one: ours divided by theirs. */
interface Ratios {
  /** Throughput: the median of the rounds' ratios, each round being a pair. */
  readonly speed: number
  /** Of each round. */
  readonly speeds: readonly number[]
  readonly cpu: number
  readonly memory: number
}

/** What the throughput of our own contender must reach. */
interface Demand {
  /** The other contender's name. */
  readonly against: string
  readonly least: number
}

/** Compares the first contender, our own, with each of the others. */
export function compare (title: string, file: TestFile, [own, ...others]: readonly Result[], { against, least }: Demand): Report {
  if (own === undefined) throw new RangeError('There is nothing to compare.')
  const ratios = new Map(others.map((other) => [other, ratiosOf(own, other)]))
  const marks = [...ratios].filter(([{ name }]) => name === against).map(([, { speed }]): Mark => ({
    what: `${title}, throughput as a share of ${against}`, value: speed, limit: `≥ ${least.toFixed(2)}`, met: speed >= least
  }))
  const busiest = Math.max(...[own, ...others].flatMap(({ samples }) => samples.map(({ clientLoad }) => clientLoad)))
  return {
    title: `${title}, ${formatSize(file.size)}, runs: ${own.samples.length}`,
    columns: ['contender', 'MB/s, median', 'min–max', 'CPU s/GB', 'peak MB', 'speed ×', 'CPU ×', 'memory ×'],
    rows: [own, ...others].map((result) => row(result, ratios.get(result))),
    notes: [`×: ${own.name} divided by that contender; for speed and CPU the median of the ratios of each round. The client was busy for at most ${busiest.toFixed(2)} of one core.`],
    marks,
    figures: { size: file.size, results: [own, ...others].map((result) => ({ ...result, ratios: ratios.get(result) })), marks }
  }
}

function row ({ name, samples, peakMemory }: Result, ratios: Ratios | undefined): string[] {
  const speeds = samples.map(({ bytesPerSecond }) => bytesPerSecond)
  return [
    name,
    (median(speeds) / MB).toFixed(0),
    extent(speeds, MB),
    median(samples.map(({ cpuSecondsPerGB }) => cpuSecondsPerGB)).toFixed(2),
    (peakMemory / MB).toFixed(0),
    ...ratios === undefined ? ['', '', ''] : [`${ratios.speed.toFixed(2)} (${extent(ratios.speeds, 1, 2)})`, ratios.cpu.toFixed(2), ratios.memory.toFixed(2)]
  ]
}

function ratiosOf (own: Result, other: Result): Ratios {
  const pairwise = (figure: (sample: Sample) => number): number[] =>
    own.samples.flatMap((sample, round) => {
      const counterpart = other.samples[round]
      return counterpart === undefined ? [] : [figure(sample) / figure(counterpart)]
    })
  const speeds = pairwise(({ bytesPerSecond }) => bytesPerSecond)
  return {
    speed: median(speeds),
    speeds,
    cpu: median(pairwise(({ cpuSecondsPerGB }) => cpuSecondsPerGB)),
    memory: own.peakMemory / other.peakMemory
  }
}
