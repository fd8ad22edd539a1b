import type { ComponentChildren } from 'preact'
import { isLanguageTag, language, LANGUAGES, strings } from '../strings/index.js'
import { Logo } from './icons.js'

/** What stands around every view. */
export function Page ({ children }: { readonly children: ComponentChildren }) {
  const { title, tagline, language: label } = strings.value
  return (
    <>
      <header class='page-header'>
        <Logo />
        <div>
          <p class='title'>{title}</p>
          <p class='tagline'>{tagline}</p>
        </div>
        <label class='language'>
          <span class='visually-hidden'>{label}</span>
          <select value={language.value} onChange={({ currentTarget: { value } }) => { if (isLanguageTag(value)) language.value = value }}>
            {Object.entries(LANGUAGES).map(([tag, { name }]) => <option key={tag} value={tag} lang={tag}>{name}</option>)}
          </select>
        </label>
      </header>
      <main>{children}</main>
    </>
  )
}
