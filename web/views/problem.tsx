import type { BrokenLimit } from '../../client/limits.js'
import type { en } from '../strings/en.js'
import { formatSize } from '../strings/format.js'
import { strings } from '../strings/index.js'
import type { Problem } from '../transfer/problem.js'
import { WarningIcon } from './icons.js'

/** What is said in the same words as another failure: to people it is no other. */
const SAME_AS: Partial<Record<Problem['code'], keyof typeof en.problems>> = {
  // A token of a session that is there opens it.
  UNAUTHORIZED: 'SESSION_CLOSED',
  SERVER_DRAINING: 'SERVER_BUSY',
  SERVER_STOPPING: 'SERVER_BUSY',
  STORAGE_UNAVAILABLE: 'SERVER_BUSY',
  STORE_UNAVAILABLE: 'SERVER_BUSY',
  WRAPPED_KEY_REFUSED: 'SHARE_REFUSED',
  CONTAINER_DAMAGED: 'FILE_DAMAGED',
  METADATA_DAMAGED: 'FILE_DAMAGED'
}

/** What went wrong, and what to do, in the page's language. */
export function sentenceFor (problem: Problem): string {
  const { problems } = strings.value
  if (problem.code === 'LIMIT') return sentenceAbout(problem.broken)
  const known: Readonly<Record<string, unknown>> = problems
  const sentence = known[SAME_AS[problem.code] ?? problem.code]
  return typeof sentence === 'string' ? sentence : problems.other(problem.code)
}

function sentenceAbout (broken: BrokenLimit): string {
  const { problems } = strings.value
  if (broken.limit === 'session') return problems.tooMuch(formatSize(broken.most))
  if (broken.limit === 'number') return problems.tooMany(broken.most)
  return problems.tooLarge(isolated(broken.sources[0]?.name ?? ''), formatSize(broken.most), broken.sources.length - 1)
}

/** A name in a sentence that may run in the other direction (https://unicode.org/reports/tr9/#Explicit_Directional_Isolates): <bdi>, where there is only text. */
const isolated = (name: string): string => `\u2068${name}\u2069`

/** It, as soon as it happens, to those who see and to those who listen. */
export const ProblemNote = ({ problem }: { readonly problem: Problem }) => <p class='note warning' role='alert'><WarningIcon /><span>{sentenceFor(problem)}</span></p>
