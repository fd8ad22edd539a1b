import parseRangeHeader from 'range-parser'

/** Bytes [start, end) of a file. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** The last bytes; range-parser takes more of them than there are for unsatisfiable. */
const SUFFIX = /^bytes=\s*-(\d+)\s*$/

/**
 * What a download has to send (RFC 9110, section 14: https://www.rfc-editor.org/rfc/rfc9110#section-14).
 *
 * A malformed Range and one of another unit are ignored, as the section asks; several ranges in one request are refused, which
 * it allows. A suffix longer than the file is all of it.
 *
 * @param header - the Range header
 * @param ifRange - the If-Range header: unless it is exactly `etag`, the range does not count
 * @returns the range; `whole` if the file is to be sent as if there were no Range; `unsatisfiable` for a 416
 */
export function requestedRange (size: number, etag: string, header: string | undefined, ifRange: string | undefined): ByteRange | 'whole' | 'unsatisfiable' {
  if (header === undefined || !header.startsWith('bytes=') || (ifRange !== undefined && ifRange !== etag)) return 'whole'
  const [, suffix] = SUFFIX.exec(header) ?? []
  if (Number(suffix) > size) return size === 0 ? 'whole' : { start: 0, end: size }
  const ranges = parseRangeHeader(size, header)
  if (ranges === -2) return 'whole'
  const [first, ...others] = ranges === -1 ? [] : ranges
  if (first === undefined || others.length > 0) return 'unsatisfiable'
  return { start: first.start, end: first.end + 1 }
}
