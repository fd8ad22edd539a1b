import { isClientError, type ClientErrorCode } from '../../client/errors.js'
import type { BrokenLimit } from '../../client/limits.js'

/** What went wrong, for a view to put into words. */
export type Problem =
  | { readonly code: ClientErrorCode | 'INTERNAL' | 'NO_ROOM' | 'CANNOT_WRITE' | 'KEPT_ELSEWHERE' | 'KEPT_SEALED' }
  | { readonly code: 'LIMIT', readonly broken: BrokenLimit }

/** Carries a {@link Problem} to whoever shows it. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly problem: Problem

  constructor (problem: Problem, options?: ErrorOptions) {
    super(problem.code, options)
    this.problem = problem
  }
}

/** A failure as a view can say it; what nobody foresaw is told to the console, and holds nothing secret. */
export function problemOf (error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem
  if (isClientError(error)) return { code: error.code }
  console.error(error)
  return { code: 'INTERNAL' }
}
