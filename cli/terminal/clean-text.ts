/** Text from somebody else as a terminal may be shown it: nothing in it moves the cursor, changes a colour or reorders what is read. */

import { stripVTControlCharacters } from 'node:util'

// Control characters but tab and line feed; line and paragraph separators; what reorders text; what is invisible and means nothing. Joiners stay: scripts and emoji need them.
const UNSAFE = /[\p{Zl}\p{Zp}\u061C\u200B\u200E\u200F\u202A-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]|[\u{E0000}-\u{E007F}]|(?![\t\n])\p{Cc}/gu

/** A text of several lines: escape sequences, control and bidirectional characters are gone, line breaks and tabs stay. */
export const cleanText = (text: string): string =>
  stripVTControlCharacters(text.toWellFormed().replace(/\r\n?/g, '\n')).replace(UNSAFE, '')

/** The same in one line: for names and for what a server says. */
export const cleanLine = (text: string): string => cleanText(text).replace(/[\t\n]+/g, ' ')
