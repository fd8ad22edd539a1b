import { strings } from '../strings/index.js'
import { WarningIcon } from './icons.js'

/** That the server cannot be reached at the moment, as soon as it is so, to those who see and to those who listen. */
export const LostNote = ({ isLost }: { readonly isLost: boolean }) => (
  <div role='status' class='lost'>{isLost && <p class='note warning'><WarningIcon /><span>{strings.value.lost}</span></p>}</div>
)
