import { strings } from '../strings/index.js'
import { CopyButton } from './copy-button.js'
import { Heading } from './heading.js'
import { QrCode } from './qr-code.js'

/** The code, to be read out, copied, or seen by a camera. */
export function CodeCard ({ code, link, how }: { readonly code: string, readonly link: string, readonly how: string }) {
  const { sending: words, title } = strings.value
  return (
    <section class='card code-card'>
      <div class='code-words'>
        <Heading>{words.heading}</Heading>
        <p class='code' dir='ltr' data-code={code}>{code.split('-').map((part, i) => <span key={i}>{i === 0 ? '' : <><span class='dash'>-</span><wbr /></>}{part}</span>)}</p>
        <p class='hint'>{how}</p>
        <div class='buttons'>
          <CopyButton text={code}>{words.copyCode}</CopyButton>
          <CopyButton text={link}>{words.copyLink}</CopyButton>
          {'share' in navigator && <button type='button' onClick={() => { void navigator.share({ title, url: link }).catch(() => undefined) }}>{words.share}</button>}
        </div>
      </div>
      <QrCode text={link} label={words.qr} />
    </section>
  )
}
