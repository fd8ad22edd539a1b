import { useEffect, useState } from 'preact/hooks'
import { strings } from '../strings/index.js'

/** Milliseconds for which it is said that something was copied. */
const SAID = 2500

/** Puts a text on the clipboard. */
export function CopyButton ({ text, children }: { readonly text: string, readonly children: string }) {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => { setCopied(false) }, SAID)
    return () => { clearTimeout(timer) }
  }, [copied])
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text)
    setCopied(true)
  }
  return (
    <>
      <button type='button' onClick={() => { void copy().catch(() => undefined) }}>{copied ? strings.value.sending.copied : children}</button>
      <span role='status' class='visually-hidden'>{copied ? strings.value.sending.copied : ''}</span>
    </>
  )
}
