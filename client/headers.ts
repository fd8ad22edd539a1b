/** Headers of requests and answers, in the form that the protocol gives them. */

import { toBase64url, utf8 } from '../lib/crypto/bytes.js'
import { ClientError } from './errors.js'
import type { Answer } from './http.js'

/** Base64 with padding, of UTF-8, as Upload-Metadata wants it. */
export const base64 = (text: string): string => {
  const unpadded = toBase64url(utf8(text)).replaceAll('-', '+').replaceAll('_', '/')
  return unpadded.padEnd(Math.ceil(unpadded.length / 4) * 4, '=')
}

/** An answer whose header of this name is not as it must be. */
export const badHeader = (name: string): ClientError => new ClientError('BAD_ANSWER', { detail: `What is wrong: the header ${name}.` })

/** A header that is a whole number. @throws ClientError BAD_ANSWER */
export function wholeHeader ({ headers }: Answer, name: string): number {
  const text = headers.get(name) ?? ''
  if (!/^\d{1,15}$/.test(text)) throw badHeader(name)
  return Number(text)
}

/** Bytes that an answer says it has; `null` if it does not say. */
export const lengthOf = (response: Answer): number | null => response.headers.get('content-length') !== null ? wholeHeader(response, 'Content-Length') : null
