/** Numbers as people read them. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** Bytes with a binary unit and three digits at most: `999 B`, `1.50 KiB`, `12.3 GiB`. */
export function formatSize (bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? Math.round(value) : threeDigits(value)} ${UNITS[unit] ?? ''}`
}

function threeDigits (value: number): string {
  if (value < 9.995) return value.toFixed(2)
  return value < 99.95 ? value.toFixed(1) : value.toFixed(0)
}

/** Seconds as `45 s`, `3 min 20 s`, `2 h 5 min`; longer than four days as `days`. */
export function formatDuration (seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  const minutes = Math.round(whole / 60)
  return minutes < 4 * 24 * 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.round(minutes / 1440)} days`
}

/** `1 file`, `3 files`. */
export const count = (number: number, thing: string): string => `${number.toLocaleString('en')} ${thing}${number === 1 ? '' : 's'}`

const segments = new Intl.Segmenter('und', { granularity: 'grapheme' })
// https://www.unicode.org/reports/tr11/: what takes two columns, as far as names of files go.
const WIDE = /^[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|^\p{Emoji_Presentation}/u

/** A text in at most so many columns; where it is longer, its middle is left out, since names differ at their ends. */
export function fitColumns (text: string, columns: number): string {
  const glyphs = Array.from(segments.segment(text), ({ segment }) => ({ segment, width: WIDE.test(segment) ? 2 : 1 }))
  if (widthOf(glyphs) <= columns) return text
  const room = Math.max(0, columns - 1)
  const start = takeColumns(glyphs, Math.ceil(room / 2))
  const end = takeColumns(glyphs.slice(start.length).reverse(), room - widthOf(start)).reverse()
  return `${textOf(start)}…${textOf(end)}`
}

interface Glyph { readonly segment: string, readonly width: number }

const widthOf = (glyphs: readonly Glyph[]): number => glyphs.reduce((sum, { width }) => sum + width, 0)
const textOf = (glyphs: readonly Glyph[]): string => glyphs.map(({ segment }) => segment).join('')

function takeColumns (glyphs: readonly Glyph[], columns: number): Glyph[] {
  let left = columns
  const end = glyphs.findIndex(({ width }) => (left -= width) < 0)
  return glyphs.slice(0, end === -1 ? glyphs.length : end)
}
