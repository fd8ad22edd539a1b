import { useSignal } from '@preact/signals'
import { strings } from '../strings/index.js'
import { isOtherKind, type Receiving } from '../transfer/receiving.js'
import { Ending } from './ending.js'
import { Heading } from './heading.js'
import { LostNote } from './lost-note.js'
import { Offers } from './offers.js'
import { OfferRows } from './offer-rows.js'
import { sentenceFor } from './problem.js'

interface ReceivingProps {
  readonly receiving: Receiving
  readonly onAgain: () => void
}

/** Receiving, in each of its phases. */
export function ReceivingView ({ receiving, onAgain }: ReceivingProps) {
  const { receiving: words, sending: { again }, problems } = strings.value
  const { value: phase } = receiving.phase
  const rows = <OfferRows receiving={receiving} isOver />
  switch (phase.name) {
    case 'asking': return <Asking receiving={receiving} />
    case 'joining': return <Joining receiving={receiving} text={words.steps[phase.step]} />
    case 'offered': return <Offers receiving={receiving} />
    case 'done': return <Ending good heading={words.doneHeading} text={words.done} again={again} onAgain={onAgain}>{rows}</Ending>
    case 'left': return <Ending heading={words.leftHeading} text={receiving.taking.value === undefined ? words.leftEarly : words.left} again={again} onAgain={onAgain}>{rows}</Ending>
    case 'ended': return <Ending heading={words.endedHeading} text={words.ended} again={again} onAgain={onAgain}>{rows}</Ending>
    case 'failed': return isOtherKind(receiving)
      ? <OtherKind receiving={receiving} onAgain={onAgain} />
      : <Ending heading={problems.heading} text={sentenceFor(phase.problem)} again={problems.again} onAgain={onAgain} />
  }
}

/** For a passphrase that is not part of the code. It is given to the protocol and to nothing else. */
function Asking ({ receiving }: { readonly receiving: Receiving }) {
  const passphrase = useSignal('')
  const { receiving: words } = strings.value
  return (
    <section class='card'>
      <Heading>{words.passphraseHeading}</Heading>
      <form class='code-form' onSubmit={(event) => { event.preventDefault(); void receiving.run(passphrase.value) }}>
        <label for='passphrase'>{words.passphrase}</label>
        <div class='code-line'>
          <input
            id='passphrase' type='password' required autocomplete='off' aria-describedby='passphrase-hint' value={passphrase.value}
            onInput={({ currentTarget: { value } }) => { passphrase.value = value }}
          />
          <button type='submit' class='primary'>{words.connect}</button>
        </div>
        <p id='passphrase-hint' class='hint'>{words.passphraseHint}</p>
      </form>
    </section>
  )
}

function Joining ({ receiving, text }: { readonly receiving: Receiving, readonly text: string }) {
  return (
    <section class='card joining'>
      <Heading>{strings.value.home.receive}</Heading>
      <p role='status' class='state waiting'>{text}</p>
      <LostNote isLost={receiving.isLost.value} />
      <div class='buttons end'><button type='button' onClick={() => { receiving.leave() }}>{strings.value.receiving.cancel}</button></div>
    </section>
  )
}

/** A session that the server encrypts: only who wants that joins it. */
function OtherKind ({ receiving, onAgain }: ReceivingProps) {
  const { receiving: words, problems } = strings.value
  return (
    <Ending heading={words.otherKindHeading} text={words.otherKind} again={problems.again} onAgain={onAgain}>
      <div class='buttons'><button type='button' onClick={() => { receiving.retryManaged() }}>{words.joinManaged}</button></div>
    </Ending>
  )
}
