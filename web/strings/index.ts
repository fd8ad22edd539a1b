/** The language of the page: the browser's, if there is a catalogue for it, or what its user chooses. It is not kept anywhere. */

import { computed, effect, signal } from '@preact/signals'
import { ar } from './ar.js'
import { de } from './de.js'
import { en, type Strings } from './en.js'

interface Language {
  /** By itself. */
  readonly name: string
  readonly direction: 'ltr' | 'rtl'
  readonly strings: Strings
}

/** What there is, by BCP 47 tag. */
export const LANGUAGES = {
  en: { name: 'English', direction: 'ltr', strings: en },
  de: { name: 'Deutsch', direction: 'ltr', strings: de },
  ar: { name: 'العربية', direction: 'rtl', strings: ar }
} as const satisfies Record<string, Language>

export type LanguageTag = keyof typeof LANGUAGES

export const isLanguageTag = (tag: string): tag is LanguageTag => Object.hasOwn(LANGUAGES, tag)

/** The first of the languages that a catalogue exists for. */
export const bestLanguage = (wanted: readonly string[]): LanguageTag =>
  wanted.map((tag) => tag.split('-')[0] ?? '').find(isLanguageTag) ?? 'en'

export const language = signal<LanguageTag>(bestLanguage(navigator.languages))

const chosen = computed<Language>(() => LANGUAGES[language.value])

/** The texts in that language. */
export const strings = computed<Strings>(() => chosen.value.strings)

/** Keeps the document's language and direction with the texts. */
export const followLanguage = (): void => {
  effect(() => {
    document.documentElement.lang = language.value
    document.documentElement.dir = chosen.value.direction
  })
}
