/** From what was asked for to what is sent. */

import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { streamSource, textSource, type Source } from '../../client/source.js'
import type { Limits } from '../../client/session.js'
import { CliError } from '../cli-error.js'
import { EXIT } from '../exit-codes.js'
import { treeSource } from '../files/file-source.js'
import { walk } from '../files/source-tree.js'
import { sentenceFor } from '../files/system-error.js'
import type { Report } from '../report.js'
import { count, formatSize } from '../terminal/format.js'
import type { Inputs } from './saved-session.js'

const STDIN = '-'

/** Looks whether everything that was named is there, and notes where, so that another run finds it from another folder. */
export async function checkInputs ({ paths, text, name }: Inputs): Promise<Inputs> {
  for (const path of paths) {
    if (path === STDIN) continue
    try {
      await stat(path)
    } catch (cause) {
      throw new CliError(`${path} cannot be sent: ${sentenceFor(cause)}.`, EXIT.usage, { cause })
    }
  }
  if (paths.filter((path) => path === STDIN).length > 1) throw new CliError('Standard input can be sent once.', EXIT.usage)
  return { paths: paths.map((path) => path === STDIN ? STDIN : resolve(path)), text, name }
}

/**
 * All sources; nothing of their content has been read yet.
 *
 * @throws {@link CliError} if something cannot be read, or breaks a limit of the session
 */
export async function sourcesOf ({ paths, text, name = 'stdin' }: Inputs, limits: Limits, report: Report, signal: AbortSignal): Promise<readonly Source[]> {
  const { entries, leftOut } = await walk(paths.filter((path) => path !== STDIN), signal)
  if (leftOut.length > 0) report.warn(`Left out, since they are links, pipes or devices: ${leftOut.slice(0, 5).join(', ')}${leftOut.length > 5 ? ` and ${leftOut.length - 5} more` : ''}`)
  const sources = [
    ...(text === undefined ? [] : [{ ...textSource(text), key: 'text' }]),
    ...entries.map(treeSource),
    ...(paths.includes(STDIN) ? [{ ...streamSource(process.stdin, { name }), key: 'stdin' }] : [])
  ]
  checkLimits(sources, limits)
  return sources
}

/** @throws {@link CliError} that says which file breaks which limit */
export function checkLimits (sources: ReadonlyArray<Pick<Source, 'name' | 'size'>>, { maxFileSize, maxSessionSize, maxFiles }: Limits): void {
  const tooLarge = sources.filter(({ size }) => (size ?? 0) > maxFileSize)
  const [first] = tooLarge
  if (first !== undefined) {
    const others = tooLarge.length > 1 ? ` So are ${count(tooLarge.length - 1, 'other')}.` : ''
    throw new CliError(`${first.name} has ${formatSize(first.size ?? 0)}, and the server accepts ${formatSize(maxFileSize)} at most.${others}`, EXIT.failure)
  }
  const total = sources.reduce((sum, { size }) => sum + (size ?? 0), 0)
  if (total > maxSessionSize) throw new CliError(`All together are ${formatSize(total)}, and the server accepts ${formatSize(maxSessionSize)} for a session.`, EXIT.failure)
  // One more says that these were all.
  if (sources.length >= maxFiles) throw new CliError(`There are ${count(sources.length, 'file')}, and the server accepts ${count(maxFiles - 1, 'file')} in a session.`, EXIT.failure)
}
