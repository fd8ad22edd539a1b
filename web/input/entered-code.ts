/** What is typed into the field for the code, on its way to being one. */

import { completeWord, parseCodeOrLink, type CodeOrLink } from '../../client/code.js'

/** Suggestions that are worth showing. */
const MAX_SUGGESTIONS = 6

/** Reads a code or a link; words may be left unfinished where only one begins like that. @throws ClientError CODE_INVALID */
export const readCode = (text: string): CodeOrLink => parseCodeOrLink(withWholeWords(text))

/** The text with those of its words written out that only one word of the list begins like. */
function withWholeWords (text: string): string {
  if (text.includes('#')) return text
  return text.replace(/[a-z]+(?=[^a-z0-9]|$)/giu, (part, at: number) => isWordOf(text, at) ? theOnly(part) : part)
}

/** What stands before a word of a code: the id, the digits, other words. */
const BEFORE_WORD = /^\s*[0-9a-f]{4}[\s\p{Pd}]*[0-9a-f]{4}[\s\p{Pd}]+\d{3}[\s\p{Pd}]*\d{3}[\s\p{Pd}]+(?:[a-z]+[\s\p{Pd}]+)*$/iu

const isWordOf = (text: string, at: number): boolean => BEFORE_WORD.test(text.slice(0, at))

function theOnly (beginning: string): string {
  const words = completeWord(beginning)
  const exact = words.find((word) => word === beginning.toLowerCase())
  return exact ?? (words.length === 1 ? words[0] ?? beginning : beginning)
}

/** What the field may come to hold: what it holds, with its last word finished. */
export function suggestionsFor (text: string): readonly string[] {
  const [, before = '', beginning = ''] = /^(.*[\s\p{Pd}])([a-z]{2,})$/iu.exec(text) ?? []
  if (!isWordOf(text, before.length)) return []
  const words = completeWord(beginning)
  return words.length > MAX_SUGGESTIONS || words.includes(beginning.toLowerCase()) ? [] : words.map((word) => before + word)
}
