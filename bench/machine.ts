import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'

/** What the figures were measured on. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  /** Bytes. */
  readonly memory: number
  readonly node: string
  readonly kernel: string
  /** YYYY-MM-DD. */
  readonly date: string
  /** Load average of the last minute, before anything was measured: well below 1, the machine was quiet. */
  readonly load: number
}

/** The machine as it is now. */
export function thisMachine (): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: totalmem(),
    node: process.version,
    kernel: `${type()} ${release()}`,
    date: new Date().toISOString().slice(0, 10),
    load: loadavg()[0] ?? Number.NaN
  }
}

/** The machine in one line. */
export function describeMachine ({ cpu, cores, memory, node, kernel, date, load }: Machine): string {
  return `${cpu}, ${cores} cores, ${(memory / 2 ** 30).toFixed(0)} GiB memory, Node ${node}, ${kernel}, ${date}, load ${load.toFixed(2)} before the start. MB and GB are 10⁶ and 10⁹ bytes.`
}
