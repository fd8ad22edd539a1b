/**
 * The records around the files of a zip (APPNOTE 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT): stored as they are,
 * their checksum behind them, zip64 where a number does not fit otherwise. All numbers are little-endian.
 *
 *     archive    = (local header ‖ content ‖ descriptor)* ‖ directory header* ‖ [zip64 end ‖ zip64 locator] ‖ end
 */

import type { Bytes } from '../crypto/bytes.js'

/** A file and its place in the archive. */
export interface ZipPlace {
  /** UTF-8. */
  readonly name: Uint8Array
  /** Bytes. */
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number
  /** Bytes before its local header. */
  readonly offset: number
}

/** The central directory as a whole. */
export interface ZipDirectory {
  readonly entries: number
  readonly size: number
  /** Bytes before it. */
  readonly offset: number
}

/** What stands in a field whose number is in a zip64 record (section 4.4.1.4). */
const [ELSEWHERE_16, ELSEWHERE_32] = [0xffff, 0xffffffff]
/** The version of the specification that a reader must know (section 4.4.3). */
const [VERSION, VERSION_ZIP64] = [20, 45]
/** On Unix, by version 6.3 (section 4.4.2). */
const MADE_BY = 3 << 8 | 63
/** Checksum and sizes stand behind the content; the name is UTF-8 (section 4.4.4). */
const FLAGS = 1 << 3 | 1 << 11
const STORED = 0
/** A plain file with the mode 664, as Unix says it. */
const ATTRIBUTES = 0o100664 * 2 ** 16

const needsZip64 = ({ size, offset }: Pick<ZipPlace, 'size' | 'offset'>): boolean => Math.max(size, offset) >= ELSEWHERE_32

/** Section 4.3.7. */
export const localHeader = ({ name, modifiedAt }: ZipPlace): Bytes => record([
  [4, 0x04034b50], [2, VERSION], [2, FLAGS], [2, STORED], ...dosTime(modifiedAt), [4, 0], [4, 0], [4, 0], [2, name.length], [2, 0]
], name)

export const localHeaderSize = ({ name }: Pick<ZipPlace, 'name'>): number => 30 + name.length

/** The data descriptor, section 4.3.9. */
export function descriptor (place: ZipPlace, crc: number): Bytes {
  const bytes = needsZip64(place) ? 8 : 4
  return record([[4, 0x08074b50], [4, crc], [bytes, place.size], [bytes, place.size]])
}

export const descriptorSize = (place: Pick<ZipPlace, 'size' | 'offset'>): number => needsZip64(place) ? 24 : 16

/** Section 4.3.12. */
export function directoryHeader (place: ZipPlace, crc: number): Bytes {
  const { name, size, modifiedAt, offset } = place
  const isZip64 = needsZip64(place)
  const [inlineSize, inlineOffset] = isZip64 ? [ELSEWHERE_32, ELSEWHERE_32] : [size, offset]
  return record([
    [4, 0x02014b50], [2, MADE_BY], [2, isZip64 ? VERSION_ZIP64 : VERSION], [2, FLAGS], [2, STORED], ...dosTime(modifiedAt), [4, crc], [4, inlineSize], [4, inlineSize],
    [2, name.length], [2, isZip64 ? 9 + 28 : 9], [2, 0], [2, 0], [2, 0], [4, ATTRIBUTES], [4, inlineOffset]
  ], name, unixTime(modifiedAt), isZip64 ? record([[2, 0x0001], [2, 24], [8, size], [8, size], [8, offset]]) : EMPTY)
}

export const directoryHeaderSize = (place: Omit<ZipPlace, 'modifiedAt'>): number => 46 + place.name.length + (needsZip64(place) ? 9 + 28 : 9)

/** Sections 4.3.14 to 4.3.16. */
export function endOfArchive (directory: ZipDirectory): Bytes {
  const { entries, size, offset } = directory
  const end = record([[4, 0x06054b50], [2, 0], [2, 0], ...twice(2, Math.min(entries, ELSEWHERE_16)), [4, Math.min(size, ELSEWHERE_32)], [4, Math.min(offset, ELSEWHERE_32)], [2, 0]])
  if (!endsInZip64(directory)) return end
  return record([
    [4, 0x06064b50], [8, 44], [2, MADE_BY], [2, VERSION_ZIP64], [4, 0], [4, 0], ...twice(8, entries), [8, size], [8, offset],
    [4, 0x07064b50], [4, 0], [8, offset + size], [4, 1]
  ], end)
}

export const endOfArchiveSize = (directory: ZipDirectory): number => endsInZip64(directory) ? 56 + 20 + 22 : 22

const endsInZip64 = ({ entries, size, offset }: ZipDirectory): boolean => entries >= ELSEWHERE_16 || Math.max(size, offset) >= ELSEWHERE_32

type Field = readonly [bytes: 2 | 4 | 8, value: number]

const twice = (bytes: 2 | 8, value: number): readonly Field[] => [[bytes, value], [bytes, value]]

const EMPTY = new Uint8Array()

/** Fields, and what stands behind them. */
function record (fields: readonly Field[], ...behind: readonly Uint8Array[]): Bytes {
  const bytes = new Uint8Array(sum(fields.map(([size]) => size)) + sum(behind.map(({ length }) => length)))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true)
    else if (size === 4) view.setUint32(at, value, true)
    else view.setBigUint64(at, BigInt(value), true)
    at += size
  }
  for (const part of behind) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

/** Time and date in the server's time zone, by two seconds, from 1980 on (section 4.4.6). */
function dosTime (moment: number): readonly Field[] {
  const date = new Date(Math.max(moment, new Date(1980, 0).getTime()))
  return [
    [2, date.getHours() << 11 | date.getMinutes() << 5 | date.getSeconds() >> 1],
    [2, (date.getFullYear() - 1980) << 9 | (date.getMonth() + 1) << 5 | date.getDate()]
  ]
}

/** The same moment in UTC, by the second: Info-ZIP's extra field "UT" (its extrafld.txt), with the flags that Info-ZIP sets. */
const unixTime = (moment: number): Bytes => record([[2, 0x5455], [2, 5]], Uint8Array.of(0b11), record([[4, Math.floor(moment / 1000)]]))
