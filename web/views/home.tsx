import { choices, typedCode, typedText } from '../input/typed.js'
import type { Interruption } from '../interruption.js'
import { forgetThem, interrupted, open, send } from '../screen.js'
import { strings } from '../strings/index.js'
import type { Problem } from '../transfer/problem.js'
import { Choices } from './choices.js'
import { CodeField } from './code-field.js'
import { DropZone } from './drop-zone.js'
import { Honest } from './honest.js'
import { WarningIcon } from './icons.js'
import { TextField } from './text-field.js'

interface HomeProps {
  readonly problem?: Problem | undefined
  readonly interruption?: Interruption | undefined
}

/** Where everything begins: something to send, or a code. */
export function Home ({ problem, interruption }: HomeProps) {
  const { home } = strings.value
  return (
    <>
      <h1 class='visually-hidden' tabIndex={-1}>{strings.value.title}</h1>
      <InterruptionNote interruption={interruption} />
      <div class='home'>
        <section class='card' aria-labelledby='send'>
          <h2 id='send'>{home.send}</h2>
          <DropZone onSources={(sources) => { send(sources, choices.value) }} />
          <TextField text={typedText} onText={(source) => { send([source], choices.value) }} />
          <Choices choices={choices} />
        </section>
        <section class='card' aria-labelledby='receive'>
          <h2 id='receive'>{home.receive}</h2>
          <CodeField text={typedCode} problem={problem} onCode={(text) => { void open(text) }} />
        </section>
      </div>
      <Honest warning={choices.value.kind === 'managed'}>{choices.value.kind === 'managed' ? home.honestManaged : home.honest}</Honest>
    </>
  )
}

/** What this browser was doing before: to be gone on with, or ended by that. */
function InterruptionNote ({ interruption }: Pick<HomeProps, 'interruption'>) {
  const { home } = strings.value
  if (interrupted.value.length > 0) {
    return (
      <div class='note offer' role='status'>
        <span>{home.resumable}</span>
        <button type='button' onClick={() => { void forgetThem() }}>{home.forget}</button>
      </div>
    )
  }
  return interruption && <p class='note warning' role='alert'><WarningIcon /><span>{home.interrupted[interruption]}</span></p>
}
