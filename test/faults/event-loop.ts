/** How long a server's event loop is kept by one turn, by the processor's time: what other programs take does not count. */

import type { Test } from 'tap'
import { eventually } from '../helpers/events.js'
import { projectPath, startFlags } from '../helpers/project.js'
import { spawnServer, type ServerProcess } from '../helpers/process.js'

/** Runs in the server. Of its main thread, the kernel counts the nanoseconds on a processor. */
const WATCH = `
import { readFileSync } from 'node:fs'
const taken = () => Number(readFileSync('/proc/self/task/' + process.pid + '/schedstat', 'latin1').split(' ')[0])
let last = taken()
let longest = 0
setInterval(() => {
  const now = taken()
  longest = Math.max(longest, now - last)
  last = now
}, 1).unref()
process.on('SIGWINCH', () => {
  process.stderr.write('longest turn: ' + longest + '\\n')
  longest = 0
})
`

export interface WatchedServer extends ServerProcess {
  /** Milliseconds of the longest turn since this was asked last. */
  readonly longestTurn: () => Promise<number>
}

/** Linux only. */
export async function spawnWatched (t: Test, environment: Record<string, string>): Promise<WatchedServer> {
  const server = await spawnServer(t, environment, { program: [...startFlags(), `--import=data:text/javascript,${encodeURIComponent(WATCH)}`, projectPath('dist/server.js')] })
  const said = (): string[] => server.output().match(/longest turn: \d+/g) ?? []
  return {
    ...server,
    longestTurn: async () => {
      const before = said().length
      server.child.kill('SIGWINCH')
      await eventually(() => said().length > before)
      return Number(said().at(-1)?.slice('longest turn: '.length)) / 1e6
    }
  }
}
