/** What hostile people send: any bytes, any text, and what is right but for some places. */

import fc from 'fast-check'
import type { Bytes } from '../../../lib/crypto/bytes.js'
import { newFileId } from '../../../lib/new-ids.js'

/** Bytes in a buffer of their own. */
export const bytes = (limits: { readonly minLength?: number, readonly maxLength?: number } = {}): fc.Arbitrary<Bytes> =>
  fc.uint8Array(limits).map((drawn) => Uint8Array.from(drawn))

/** Characters that mean something somewhere. */
const SPECIAL = fc.constantFrom(...'\0\t\n\r "%&\'()*+,-./:;<=>?@[\\]^_`{|}~\u007F\u0085\u00A0\u0301\u200B\u200D\u202E\u2028\uD800\uDC00\uFEFF\uFFFD'.split(''), '..', '../', '\r\n', '\u{1F600}', '\u{E0001}')

/** Any text, halves of surrogate pairs included. */
export const text = (maxLength = 60): fc.Arbitrary<string> => fc.array(fc.oneof(
  SPECIAL,
  fc.constantFrom(...'abcXYZ0189'.split('')),
  fc.integer({ min: 0, max: 0xFFFF }).map((unit) => String.fromCharCode(unit))
), { maxLength }).map((units) => units.join(''))

/** What JSON can say. */
export const json = fc.jsonValue({ maxDepth: 3 })

/** A share of something, evenly: doubles would nearly all be as good as nothing. */
export const share = fc.nat(2 ** 24 - 1).map((drawn) => drawn / 2 ** 24)

interface Edit {
  readonly how: 'change' | 'insert' | 'remove' | 'cut' | 'repeat'
  /** Where, of what there is. */
  readonly at: number
  readonly value: number
}

const edits: fc.Arbitrary<Edit[]> = fc.array(fc.record({
  how: fc.constantFrom('change' as const, 'insert' as const, 'remove' as const, 'cut' as const, 'repeat' as const),
  at: share,
  value: fc.integer({ min: 0, max: 255 })
}), { minLength: 1, maxLength: 4 })

function edit (units: readonly number[], { how, at, value }: Edit): number[] {
  const place = Math.floor(at * units.length)
  if (how === 'change') return units.with(Math.min(place, Math.max(0, units.length - 1)), value)
  if (how === 'insert') return units.toSpliced(place, 0, value)
  if (how === 'remove') return units.toSpliced(place, 1 + value % 8)
  if (how === 'cut') return units.slice(0, place)
  return [...units.slice(0, place), ...units.slice(Math.max(0, place - value)), ...units.slice(place)]
}

const edited = (units: readonly number[], all: readonly Edit[]): number[] => all.reduce<number[]>((left, one) => left.length === 0 ? left : edit(left, one), [...units])

/** Bytes that are right but for a few places. */
export const mutatedBytes = (sample: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Bytes> =>
  fc.tuple(sample, edits).map(([right, all]) => Uint8Array.from(edited([...right], all)))

/** A text that is right but for a few places. */
export const mutatedText = (sample: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(sample, edits).map(([right, all]) => String.fromCharCode(...edited(right.split('').map((unit) => unit.charCodeAt(0)), all)))

/** How a stream is cut into pieces. */
export const pieces = (content: Uint8Array, sizes: readonly number[]): Uint8Array[] => {
  const cut: Uint8Array[] = []
  let start = 0
  for (const size of sizes) {
    cut.push(content.slice(start, start + size))
    start += size
  }
  return [...cut, content.slice(start)]
}

/** Sizes of pieces. */
export const sizes = fc.array(fc.nat(200), { maxLength: 8 })

/** The pieces as a stream. */
export async function * stream (all: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void> {
  for (const piece of all) yield await Promise.resolve(piece)
}

export const fileIds = fc.constantFrom(newFileId(), newFileId())
