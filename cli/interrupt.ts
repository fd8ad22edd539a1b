import { EXIT } from './exit-codes.js'

/** Ctrl-C, or another way in which the system asks a program to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'

  constructor () {
    super('Interrupted.')
  }
}

/**
 * A signal that fires when the program is asked to end, so that it can tidy up; asked again, it ends at once.
 * @returns the signal
 */
export function interruptSignal (): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(EXIT.interrupted)
      controller.abort(new Interrupted())
    })
  }
  // Nobody reads any more, as behind `| head`: the other side is to be told all the same.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => { controller.abort(new Interrupted()) })
  return controller.signal
}
