import { mkdir, readdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Guesses } from '../../client/join.js'
import type { SessionId } from '../../lib/ids.js'
import { againIfRemoved } from './again-if-removed.js'
import { guessesOf, unusable } from './state-paths.js'

/** Milliseconds after which no session is there any more for which a count was kept. */
const KEPT = 30 * 86_400_000

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
      }).catch((cause: unknown) => { throw unusable(folder, cause) })
      await sweep(folder)
    }
  }
}

async function sweep (folder: string, now = Date.now()): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: now }))
    if (now - mtimeMs >= KEPT) await rm(path, { force: true })
  }
}
