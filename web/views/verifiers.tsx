import { strings } from '../strings/index.js'

/** What both sides can compare by voice. */
export function Verifiers ({ verifiers }: { readonly verifiers: readonly string[] }) {
  const { verifier, verifierHint } = strings.value.sending
  if (verifiers.length === 0) return null
  return (
    <div class='verifiers'>
      <p><span>{verifier}</span> {verifiers.map((one) => <code key={one} dir='ltr'>{one}</code>)}</p>
      <p class='hint'>{verifierHint}</p>
    </div>
  )
}
