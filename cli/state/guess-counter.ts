import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import type { Guesses } from '../../client/join.js'
import type { SessionId } from '../../lib/ids.js'
import { againIfRemoved } from './again-if-removed.js'
import { guessesOf } from './state-paths.js'

/** The confirmations that were sent in vain in a session, over all runs: a dishonest server learns a guess from each of them. */
export async function guessCounter (sessionId: SessionId): Promise<Guesses> {
  const { folder, path } = guessesOf(sessionId)
  const count = Number.parseInt(await readFile(path, 'utf8').catch(() => '0'), 10)
  return {
    count: Number.isSafeInteger(count) ? count : 0,
    onGuess: async (guesses) => {
      if (guesses === 0) {
        await rm(path, { force: true })
        await rmdir(folder).catch(() => {})
        return
      }
      await againIfRemoved(async () => {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        await writeFile(path, String(guesses), { mode: 0o600, flush: true })
      })
    }
  }
}
