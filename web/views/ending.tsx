import type { ComponentChildren } from 'preact'
import { Heading } from './heading.js'
import { DoneIcon, WarningIcon } from './icons.js'

interface EndingProps {
  readonly heading: string
  readonly text: string
  readonly again: string
  readonly onAgain: () => void
  /** Whether it ended as it was meant to. */
  readonly good?: boolean
  readonly children?: ComponentChildren
}

/** The last word on a transfer, and the way back to the beginning. */
export const Ending = ({ heading, text, again, onAgain, good = false, children }: EndingProps) => (
  <section class='card ending'>
    <div class={good ? 'badge good' : 'badge'}>{good ? <DoneIcon /> : <WarningIcon />}</div>
    <Heading>{heading}</Heading>
    <p class='ending-text'>{text}</p>
    {children}
    <div class='buttons'><button type='button' class='primary' onClick={onAgain}>{again}</button></div>
  </section>
)
