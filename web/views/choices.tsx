import { useSignal, type Signal } from '@preact/signals'
import { DEFAULT_CHOICES } from '../input/typed.js'
import { strings } from '../strings/index.js'
import type { SendChoices } from '../transfer/sending.js'

/** The most joiners that a server admits unless its operator says otherwise. */
const MOST_RECEIVERS = 20

/** Seconds, by the name of the choice. */
const EXPIRIES = { default: undefined, minutes10: 600, hour: 3600, day: 86_400 } as const

const isExpiry = (name: string): name is keyof typeof EXPIRIES => Object.hasOwn(EXPIRIES, name)

/** For how many it is, how long it lasts, and who encrypts. */
export function Choices ({ choices }: { readonly choices: Signal<SendChoices> }) {
  const { home } = strings.value
  const { receivers, expiresIn, kind } = choices.value
  const expiry = Object.keys(EXPIRIES).filter(isExpiry).find((name) => EXPIRIES[name] === expiresIn) ?? 'default'
  const isOpen = useSignal(choices.value !== DEFAULT_CHOICES)
  return (
    <details open={isOpen.value} onToggle={({ currentTarget: { open } }) => { isOpen.value = open }}>
      <summary>{home.choices}</summary>
      <div class='fields'>
        <label>
          {home.receivers}
          <input
            type='number' min={1} max={MOST_RECEIVERS} defaultValue={receivers} inputMode='numeric'
            onInput={({ currentTarget: { valueAsNumber } }) => { if (valueAsNumber >= 1) choices.value = { ...choices.value, receivers: Math.min(Math.floor(valueAsNumber), MOST_RECEIVERS) } }}
            // Not while it is typed: what is no number of people may be on the way to one.
            onChange={({ currentTarget }) => { currentTarget.value = String(choices.value.receivers) }}
          />
        </label>
        <label>
          {home.expiry}
          <select value={expiry} onChange={({ currentTarget: { value } }) => { if (isExpiry(value)) choices.value = { ...choices.value, expiresIn: EXPIRIES[value] } }}>
            {Object.keys(EXPIRIES).filter(isExpiry).map((name) => <option key={name} value={name}>{home.expiries[name]}</option>)}
          </select>
        </label>
      </div>
      <label class='check'>
        <input
          type='checkbox' checked={kind === 'managed'} aria-describedby='managed-hint'
          onChange={({ currentTarget: { checked } }) => { choices.value = { ...choices.value, kind: checked ? 'managed' : 'end-to-end' } }}
        />
        {home.managed}
      </label>
      <p id='managed-hint' class='hint'>{home.managedHint}</p>
    </details>
  )
}
