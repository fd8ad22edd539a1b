/** Names of files as their senders gave them: untrusted text that is shown, logged and put into headers, never into a path. */

/** What most file systems allow for one name, in bytes of UTF-8. */
const MAX_NAME_BYTES = 255
/** Of a longer name only beginning and end are looked at, as many characters of each: to compose many marks takes the square of their number. */
const LONGEST_HALF = 2048
const FALLBACK = 'file'

// Control characters, line and paragraph separators, and the invisible characters that reorder or hide text; of those, only
// variation selectors stay, since they choose between glyphs that are visible.
const INVISIBLE = /[\p{Cc}\p{Zl}\p{Zp}\uFFF9-\uFFFB]|(?!\p{Variation_Selector})\p{Default_Ignorable_Code_Point}/gu
const NOT_ON_WINDOWS = /[<>:"|?*]/g
// https://learn.microsoft.com/windows/win32/fileio/naming-a-file
const RESERVED = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\.|$)/i

/**
 * A name that is safe to show and to save under, on every usual system: no path, no control or bidirectional characters, no
 * reserved name, at most 255 bytes with its extension kept. Unicode stays (NFC). Idempotent.
 */
export function safeFileName (given: string | undefined): string {
  // Invisible characters first: what stood on both sides of one may compose.
  const base = (given ?? '').toWellFormed().replace(INVISIBLE, '').split(/[/\\]/).at(-1) ?? ''
  const visible = trim(shorten(trim(ends(base).normalize('NFC').replace(NOT_ON_WINDOWS, '_'))))
  const name = RESERVED.test(visible) ? trim(shorten(`_${visible}`)) : visible
  return name === '' ? FALLBACK : name
}

const ends = (name: string): string =>
  name.length <= 2 * LONGEST_HALF ? name : `${name.slice(0, LONGEST_HALF)}${name.slice(-LONGEST_HALF)}`.toWellFormed()

// Windows drops dots and spaces at the end; a name of dots alone would be a folder. A run is tried from its beginning only.
const trim = (name: string): string => name.trimStart().replace(/(?<![\s.])[\s.]+$/u, '')

function shorten (name: string): string {
  if (byteLength(name) <= MAX_NAME_BYTES) return name
  const { stem, extension } = split(name)
  return fit(stem, extension)
}

function split (name: string): { readonly stem: string, readonly extension: string } {
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 && byteLength(name.slice(dot)) <= 32 ? name.slice(dot) : ''
  return { stem: name.slice(0, name.length - extension.length), extension }
}

/** As much of the stem as there is room for before this end, in whole characters. */
function fit (stem: string, end: string): string {
  const room = MAX_NAME_BYTES - byteLength(end)
  if (byteLength(stem) <= room) return stem + end
  const { read } = encoder.encodeInto(stem, new Uint8Array(room))
  return stem.slice(0, graphemes.segment(stem).containing(read)?.index) + end
}

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' })
const encoder = new TextEncoder()
const byteLength = (text: string): number => encoder.encode(text).length

/** Whether a name ends in one of the extensions, which are lower case and without a leading dot. */
export const hasExtension = (name: string, extensions: readonly string[]): boolean =>
  extensions.some((extension) => name.toLowerCase().endsWith(`.${extension.replace(/^\./, '')}`))

/**
 * Safe names for files that are to lie in one folder, which may be one where case makes no difference: the first of a name keeps it, the
 * others are numbered, past the names that there are already.
 */
export function distinctNames (names: readonly string[]): readonly string[] {
  const keys = names.map(caseless)
  const taken = new Set(keys)
  const nextNumbers = new Map<string, number>()
  return names.map((name, i) => {
    const key = keys[i] ?? ''
    const known = nextNumbers.get(key)
    if (known === undefined) {
      nextNumbers.set(key, 2)
      return name
    }
    for (let number = known; ; number++) {
      const distinct = numberedFileName(name, number)
      const distinctKey = caseless(distinct)
      if (taken.has(distinctKey)) continue
      taken.add(distinctKey)
      nextNumbers.set(key, number + 1)
      return distinct
    }
  })
}

/** A safe name with a number behind its stem: `report (2).pdf`. */
export function numberedFileName (name: string, number: number): string {
  const { stem, extension } = split(name)
  return fit(stem, ` (${number})${extension}`)
}

// Both ways: some letters have no other case, but share it with one that has.
const caseless = (name: string): string => name.toUpperCase().toLowerCase()
