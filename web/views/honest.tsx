import { LockIcon, WarningIcon } from './icons.js'

interface HonestProps {
  readonly children: string
  /** Whether the server can read it. */
  readonly warning?: boolean
}

/** What the server can see and what it cannot, in one sentence. */
export const Honest = ({ children, warning = false }: HonestProps) =>
  <p class={warning ? 'honest warning' : 'honest'}>{warning ? <WarningIcon /> : <LockIcon />}<span>{children}</span></p>
