import { strings } from '../strings/index.js'
import { WarningIcon } from './icons.js'

interface LostProps {
  readonly isLost: boolean
  /** Whether nothing comes, though the server is there. */
  readonly isStalled?: boolean
}

/** That the server cannot be reached at the moment, or that nothing comes from it, as soon as it is so, to those who see and to those who listen. */
export function LostNote ({ isLost, isStalled = false }: LostProps) {
  const { lost, receiving: { stalled } } = strings.value
  return <div role='status' class='lost'>{(isLost || isStalled) && <p class='note warning'><WarningIcon /><span>{isLost ? lost : stalled}</span></p>}</div>
}
