import { useSignal, type Signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { textSource, type Source } from '../../client/source.js'
import { strings } from '../strings/index.js'

interface TextFieldProps {
  readonly text: Signal<string>
  readonly onText: (source: Source) => void
}

/** A text in place of a file: typed, or pasted anywhere on the page. */
export function TextField ({ text, onText }: TextFieldProps) {
  const isOpen = useSignal(text.value !== '')
  const field = useRef<HTMLTextAreaElement>(null)
  const { home } = strings.value

  useEffect(() => {
    const onPaste = ({ clipboardData, target }: ClipboardEvent): void => {
      const pasted = clipboardData?.getData('text/plain') ?? ''
      if (pasted === '' || target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement) return
      text.value = pasted
      isOpen.value = true
      field.current?.focus()
    }
    window.addEventListener('paste', onPaste)
    return () => { window.removeEventListener('paste', onPaste) }
  }, [])

  return (
    <details open={isOpen.value} onToggle={({ currentTarget: { open } }) => { isOpen.value = open }}>
      <summary>{home.text}</summary>
      <form class='text-form' onSubmit={(event) => { event.preventDefault(); onText(textSource(text.value)) }}>
        <label for='text' class='visually-hidden'>{home.textLabel}</label>
        <textarea ref={field} id='text' rows={4} dir='auto' required value={text.value} onInput={({ currentTarget: { value } }) => { text.value = value }} />
        <button type='submit' class='primary'>{home.sendText}</button>
      </form>
    </details>
  )
}
