import type { Signal } from '@preact/signals'
import { suggestionsFor } from '../input/entered-code.js'
import { strings } from '../strings/index.js'

interface CodeFieldProps {
  readonly text: Signal<string>
  readonly onCode: (text: string) => void
}

/** Where a code is typed, or a link is pasted. */
export function CodeField ({ text, onCode }: CodeFieldProps) {
  const { home } = strings.value
  return (
    <form class='code-form' onSubmit={(event) => { event.preventDefault(); onCode(text.value) }}>
      <label for='code'>{home.code}</label>
      <div class='code-line'>
        <input
          id='code' name='code' type='text' dir='ltr' required autocomplete='off' autocapitalize='none' autocorrect='off' spellcheck={false}
          enterkeyhint='go' placeholder='a1b2c3d4-123456-absent-mango-river' list='words' aria-describedby='code-hint' value={text.value}
          onInput={({ currentTarget: { value } }) => { text.value = value }}
        />
        <button type='submit' class='primary'>{home.connect}</button>
      </div>
      <datalist id='words'>{suggestionsFor(text.value).map((suggestion) => <option key={suggestion} value={suggestion} />)}</datalist>
      <p id='code-hint' class='hint'>{home.codeHint}</p>
    </form>
  )
}
