/** From what was asked for to what is sent. */

import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { streamSource, textSource, type Source } from '../../client/source.js'
import type { Member } from '../../client/session.js'
import { containerSize } from '../../lib/crypto/container.js'
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
export async function sourcesOf ({ paths, text, name = 'stdin' }: Inputs, member: Pick<Member, 'kind' | 'limits'>, report: Report, signal: AbortSignal): Promise<readonly Source[]> {
  const { entries, leftOut } = await walk(paths.filter((path) => path !== STDIN), signal)
  if (leftOut.length > 0) report.warn(`Left out, since they are links, pipes or devices: ${leftOut.slice(0, 5).join(', ')}${leftOut.length > 5 ? ` and ${leftOut.length - 5} more` : ''}`)
  const sources = [
    ...(text === undefined ? [] : [{ ...textSource(text), key: 'text' }]),
    ...entries.map(treeSource),
    ...(paths.includes(STDIN) ? [{ ...streamSource(process.stdin, { name }), key: 'stdin' }] : [])
  ]
  checkLimits(sources, member)
  return sources
}

/**
 * Compares what will be stored with the limits: in an end-to-end session the containers.
 *
 * @throws {@link CliError} that says which file breaks which limit
 */
export function checkLimits (sources: ReadonlyArray<Pick<Source, 'name' | 'size'>>, { kind, limits: { maxFileSize, maxSessionSize, maxFiles } }: Pick<Member, 'kind' | 'limits'>): void {
  const stored = ({ size }: Pick<Source, 'size'>): number => size === null ? 0 : kind === 'end-to-end' ? containerSize(size) : size
  const tooLarge = sources.filter((source) => stored(source) > maxFileSize)
  const [first] = tooLarge
  if (first !== undefined) {
    const encrypted = (first.size ?? 0) <= maxFileSize ? ', and more when it is encrypted' : ''
    const others = tooLarge.length > 1 ? ` So are ${count(tooLarge.length - 1, 'other')}.` : ''
    throw new CliError(`${first.name} has ${formatSize(first.size ?? 0)}${encrypted}, and the server accepts ${formatSize(maxFileSize)} at most.${others}`, EXIT.failure)
  }
  const total = sources.reduce((sum, source) => sum + stored(source), 0)
  if (total > maxSessionSize) throw new CliError(`All together are ${formatSize(total)}, and the server accepts ${formatSize(maxSessionSize)} for a session.`, EXIT.failure)
  // In an end-to-end session one more says that these were all.
  const most = kind === 'end-to-end' ? maxFiles - 1 : maxFiles
  if (sources.length > most) throw new CliError(`There are ${count(sources.length, 'file')}, and the server accepts ${count(most, 'file')} in a session.`, EXIT.failure)
}
