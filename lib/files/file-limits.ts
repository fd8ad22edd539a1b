import { LocalSendError } from '../errors.js'

/** Limits of one file, which its sender may set. */
export interface FileLimits {
  /** How often it may be downloaded. */
  readonly maxDownloads?: number | undefined
  /** Milliseconds until it is removed. */
  readonly expiresIn?: number | undefined
}

const UNITS = { max_downloads: 1, expires_in: 1000 } as const
type Name = keyof typeof UNITS

export const isFileLimit = (name: string): name is Name => Object.hasOwn(UNITS, name)

/**
 * A limit as a multipart field or tus metadata gives it.
 * @returns `max_downloads` as it is, `expires_in` in milliseconds; `undefined` where none was given
 * @throws LocalSendError INVALID_REQUEST
 */
export function parseFileLimit (name: Name, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new LocalSendError('INVALID_REQUEST', { detail: `"${name}" must be a whole number from 1 to 999999999.` })
  return Number(value) * UNITS[name]
}

/** Limits in the form in which records hold them. */
export const limitsOf = ({ maxDownloads, expiresIn }: FileLimits, now: number): { readonly maxDownloads: number | null, readonly endsAt: number | null } =>
  ({ maxDownloads: maxDownloads ?? null, endsAt: expiresIn === undefined ? null : now + expiresIn })
