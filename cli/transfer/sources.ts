/** From what was asked for to what is sent. */

import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { brokenLimit, type BrokenLimit } from '../../client/limits.js'
import { streamInterrupted, streamSource, textSource, type Source } from '../../client/source.js'
import type { Member } from '../../client/session.js'
import { CliError } from '../cli-error.js'
import { EXIT } from '../exit-codes.js'
import { treeSource } from '../files/file-source.js'
import { walk } from '../files/source-tree.js'
import { sentenceFor } from '../files/system-error.js'
import type { Report } from '../report.js'
import { count, formatSize } from '../terminal/format.js'
import type { Inputs } from './saved-session.js'

const STDIN = '-'

export interface SourcesOptions {
  readonly member: Pick<Member, 'kind' | 'limits'>
  readonly report: Report
  readonly signal: AbortSignal
  /** Whether `-` was the standard input of an earlier run. */
  readonly inputIsLost?: boolean
}

/** Looks whether everything that was named is there, and notes where, so that another run finds it from another folder. */
export async function checkInputs ({ paths, text, textGiven = new Date().toISOString(), name }: Inputs): Promise<Inputs> {
  for (const path of paths) {
    if (path === STDIN) continue
    try {
      await stat(path)
    } catch (cause) {
      throw new CliError(`${path} cannot be sent: ${sentenceFor(cause)}.`, EXIT.usage, { cause })
    }
  }
  if (paths.filter((path) => path === STDIN).length > 1) throw new CliError('Standard input can be sent once.', EXIT.usage)
  return { paths: paths.map((path) => path === STDIN ? STDIN : resolve(path)), text, textGiven, name }
}

/** Stands for the standard input of a run that was interrupted: what this run has there is something else. */
const LOST_INPUT: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(streamInterrupted()) }) }

/**
 * All sources; nothing of their content has been read yet.
 *
 * @throws {@link CliError} if something cannot be read, or breaks a limit of the session
 */
export async function sourcesOf ({ paths, text, textGiven, name = 'stdin' }: Inputs, { member, report, signal, inputIsLost = false }: SourcesOptions): Promise<readonly Source[]> {
  const { entries, leftOut } = await walk(paths.filter((path) => path !== STDIN), signal)
  if (leftOut.length > 0) report.warn(`Left out, since they are links, pipes or devices: ${leftOut.slice(0, 5).join(', ')}${leftOut.length > 5 ? ` and ${leftOut.length - 5} more` : ''}`)
  const sources = [
    ...(text === undefined ? [] : [{ ...textSource(text, { modified: new Date(textGiven ?? Date.now()) }), key: 'text' }]),
    ...entries.map(treeSource),
    ...(paths.includes(STDIN) ? [{ ...streamSource(inputIsLost ? LOST_INPUT : process.stdin, { name }), key: 'stdin' }] : [])
  ]
  checkLimits(sources, member)
  return sources
}

/**
 * Compares what will be stored with the limits.
 *
 * @throws {@link CliError} that says which file breaks which limit
 */
export function checkLimits (sources: ReadonlyArray<Pick<Source, 'name' | 'size'>>, member: Pick<Member, 'kind' | 'limits'>): void {
  const broken = brokenLimit(sources, member)
  if (broken !== undefined) throw new CliError(sentenceAbout(broken), EXIT.failure)
}

function sentenceAbout (broken: BrokenLimit): string {
  if (broken.limit === 'session') return `All together are ${formatSize(broken.total)}, and the server accepts ${formatSize(broken.most)} for a session.`
  if (broken.limit === 'number') return `There are ${count(broken.number, 'file')}, and the server accepts ${count(broken.most, 'file')} in a session.`
  const { most, sources: [first, ...others] } = broken
  const size = first?.size ?? 0
  const encrypted = size <= most ? ', and more when it is encrypted' : ''
  const more = others.length > 0 ? ` So are ${count(others.length, 'other')}.` : ''
  return `${first?.name ?? ''} has ${formatSize(size)}${encrypted}, and the server accepts ${formatSize(most)} at most.${more}`
}
