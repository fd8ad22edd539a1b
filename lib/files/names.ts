/** Names of files as their senders gave them: untrusted text that is shown, logged and put into headers, never into a path. */

/** What most file systems allow for one name, in bytes of UTF-8. */
const MAX_NAME_BYTES = 255
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
  const base = (given ?? '').toWellFormed().replace(INVISIBLE, '').normalize('NFC').split(/[/\\]/).at(-1) ?? ''
  const visible = trim(shorten(trim(base.replace(NOT_ON_WINDOWS, '_'))))
  const name = RESERVED.test(visible) ? trim(shorten(`_${visible}`)) : visible
  return name === '' ? FALLBACK : name
}

// Windows drops dots and spaces at the end; a name of dots alone would be a folder.
const trim = (name: string): string => name.replace(/^\s+|[\s.]+$/gu, '')

function shorten (name: string): string {
  if (byteLength(name) <= MAX_NAME_BYTES) return name
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 && byteLength(name.slice(dot)) <= 32 ? name.slice(dot) : ''
  let stem = ''
  for (const { segment } of graphemes.segment(name.slice(0, name.length - extension.length))) {
    if (byteLength(stem + segment + extension) > MAX_NAME_BYTES) break
    stem += segment
  }
  return stem + extension
}

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' })
const encoder = new TextEncoder()
const byteLength = (text: string): number => encoder.encode(text).length

/** Whether a name ends in one of the extensions, which are lower case and without a leading dot. */
export const hasExtension = (name: string, extensions: readonly string[]): boolean =>
  extensions.some((extension) => name.toLowerCase().endsWith(`.${extension.replace(/^\./, '')}`))
