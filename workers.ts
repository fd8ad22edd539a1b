import cluster, { type Worker } from 'node:cluster'
import { setTimeout as delay } from 'node:timers/promises'
import { WorkerRelay } from './lib/across-workers.js'

/** Milliseconds before a worker that ended is followed by another: longer each time, unless it had lived for a while. */
const BACK_OFF = { least: 500, most: 30_000, forgiven: 60_000 }

/**
 * Runs the server in several processes that listen on one port, and keeps their number. Ends when they have all ended, by a signal or
 * because none of them could start.
 */
export async function superviseWorkers (count: number): Promise<void> {
  const stopped = new AbortController()
  // What passes between them has numbers that JSON does not know.
  cluster.setupPrimary({ serialization: 'advanced' })
  const relay = new WorkerRelay()
  const isStopping = (): boolean => stopped.signal.aborted
  process.on('SIGINT', stop).on('SIGTERM', stop)
  const outcomes = await Promise.all(Array.from({ length: count }, keepOne))
  process.exitCode = outcomes.every((code) => code === 0) ? 0 : 1

  /** A second signal stops them at once. */
  function stop (): void {
    stopped.abort()
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM')
  }

  /** Runs one worker after the other. @returns how the last one ended */
  async function keepOne (): Promise<number> {
    let hasServed = false
    for (let pause = BACK_OFF.least; ; pause = Math.min(2 * pause, BACK_OFF.most)) {
      const begun = Date.now()
      const { code, ended, hasServed: served } = await run(cluster.fork(), relay)
      hasServed ||= served
      // What keeps the first one from starting, it has said itself, and would be the same the next time.
      if (isStopping() || !hasServed) {
        if (!isStopping()) stop()
        return code
      }
      if (Date.now() - begun > BACK_OFF.forgiven) pause = BACK_OFF.least
      process.stderr.write(`local-send: a worker ended (${ended}); another one starts in ${pause} ms\n`)
      await delay(pause)
      if (isStopping()) return code
    }
  }
}

function run (worker: Worker, relay: WorkerRelay): Promise<{ readonly code: number, readonly ended: string, readonly hasServed: boolean }> {
  return new Promise((resolve) => {
    worker.once('exit', (code: number | null, signal: string | null) => { resolve({ code: code ?? 1, ended: signal ?? `code ${code ?? 1}`, hasServed: relay.isServing(worker) }) })
  })
}
