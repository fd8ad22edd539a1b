import type { Signal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { suggestionsFor } from '../input/entered-code.js'
import { strings } from '../strings/index.js'
import type { Problem } from '../transfer/problem.js'
import { ProblemNote } from './problem.js'

interface CodeFieldProps {
  readonly text: Signal<string>
  /** What was wrong with it the last time. */
  readonly problem: Problem | undefined
  readonly onCode: (text: string) => void
}

/** Where a code is typed, or a link is pasted. */
export function CodeField ({ text, problem, onCode }: CodeFieldProps) {
  const { home } = strings.value
  // The same words are read out again only where they are put in anew.
  const time = useMemo(() => crypto.randomUUID(), [problem])
  return (
    <form class='code-form' onSubmit={(event) => { event.preventDefault(); onCode(text.value) }}>
      <label for='code'>{home.code}</label>
      <div class='code-line'>
        <input
          id='code' name='code' type='text' dir='ltr' required autocomplete='off' autocapitalize='none' autocorrect='off' spellcheck={false}
          enterkeyhint='go' placeholder='a1b2c3d4-123456-absent-mango-river' list='words' value={text.value}
          aria-invalid={problem !== undefined} aria-describedby={problem === undefined ? 'code-hint' : 'code-hint code-problem'}
          onInput={({ currentTarget: { value } }) => { text.value = value }}
        />
        <button type='submit' class='primary'>{home.connect}</button>
      </div>
      <datalist id='words'>{suggestionsFor(text.value).map((suggestion) => <option key={suggestion} value={suggestion} />)}</datalist>
      <p id='code-hint' class='hint'>{home.codeHint}</p>
      {problem && <div id='code-problem' key={time}><ProblemNote problem={problem} /></div>}
    </form>
  )
}
