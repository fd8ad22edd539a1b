/** What object storage and its SDK fail with, without what they hang on it: requests with their signatures. */

import { LocalSendError } from '../errors.js'

/** Seconds after which a caller may try again. */
const RETRY_AFTER = 5

/** A failure of one call: what it was called, and what the storage says, without the request. */
class CallError extends Error {
  readonly status: number | undefined

  constructor (call: string, error: unknown) {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    const { httpStatusCode: status, requestId } = metadataOf(error)
    super(`${call}: ${name}: ${message} (status ${status ?? 'none'}, request ${requestId ?? 'unknown'})`)
    this.status = status
  }
}

function metadataOf (error: unknown): { readonly httpStatusCode?: number, readonly requestId?: string } {
  return error instanceof Error && '$metadata' in error ? error.$metadata as { httpStatusCode?: number, requestId?: string } : {}
}

/** The status that the storage answered a call with; `undefined` where there was no answer. */
export const statusOf = (error: unknown): number | undefined => error instanceof LocalSendError && error.cause instanceof CallError ? error.cause.status : undefined

/** A failure of a call, in terms of the catalogue. 507 is what storage answers that is full itself. */
export function failure (call: string, error: unknown): LocalSendError {
  const cause = new CallError(call, error)
  return cause.status === 507 ? new LocalSendError('STORAGE_FULL', { retryAfter: 60, cause }) : unavailable(cause)
}

export const unavailable = (cause: Error): LocalSendError => new LocalSendError('STORAGE_UNAVAILABLE', { retryAfter: RETRY_AFTER, cause })

/** A part of an answer that the API promises. */
export function given <Value> (value: Value | undefined): Value {
  if (value === undefined) throw unavailable(new Error('the storage leaves out of an answer what belongs in it'))
  return value
}
