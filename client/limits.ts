/** The limits of a session, compared with what will be stored before a byte is sent: in an end-to-end session the containers. */

import { containerSize, MAX_PLAINTEXT } from '../lib/crypto/container.js'
import type { Member } from './session.js'
import type { Source } from './source.js'

/** Which limit is broken, and by what; sizes in bytes. */
export type BrokenLimit =
  | { readonly limit: 'file', readonly most: number, readonly sources: ReadonlyArray<Pick<Source, 'name' | 'size'>> }
  | { readonly limit: 'session', readonly most: number, readonly total: number }
  | { readonly limit: 'number', readonly most: number, readonly number: number }

/** The first limit that sources of known size break; `undefined` if they break none. */
export function brokenLimit (sources: ReadonlyArray<Pick<Source, 'name' | 'size'>>, { kind, limits: { maxFileSize, maxSessionSize, maxFiles } }: Pick<Member, 'kind' | 'limits'>): BrokenLimit | undefined {
  const stored = ({ size }: Pick<Source, 'size'>): number => {
    if (size === null || kind !== 'end-to-end') return size ?? 0
    // No container holds more, whatever a server accepts.
    return size > MAX_PLAINTEXT ? Number.POSITIVE_INFINITY : containerSize(size)
  }
  const tooLarge = sources.filter((source) => stored(source) > maxFileSize)
  if (tooLarge.length > 0) return { limit: 'file', most: maxFileSize, sources: tooLarge }
  const total = sources.reduce((sum, source) => sum + stored(source), 0)
  if (total > maxSessionSize) return { limit: 'session', most: maxSessionSize, total }
  // In an end-to-end session one more says that these were all.
  const most = kind === 'end-to-end' ? maxFiles - 1 : maxFiles
  return sources.length > most ? { limit: 'number', most, number: sources.length } : undefined
}
