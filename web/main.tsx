import { render } from 'preact'
import { CurrentView } from './views/current.js'
import { sweepKept } from './kept/kept-session.js'
import { sweepTabFolders } from './kept/tab-folder.js'
import { followInterruption, followTyped, lookForInterrupted } from './screen.js'
import { followLanguage } from './strings/index.js'
import { keepFocus } from './views/kept-focus.js'
import { Insecure } from './views/insecure.js'
import { Page } from './views/page.js'

const root = document.getElementById('app')
if (root === null) throw new TypeError('The page has no place for the application.')
followLanguage()
// What noscript left there is not preact's to update.
root.replaceChildren()
keepFocus(root)
if (isSecureContext) {
  followInterruption()
  followTyped()
  void sweepTabFolders()
  void sweepKept().catch(() => undefined).then(lookForInterrupted)
  render(<Page><CurrentView /></Page>, root)
} else {
  render(<Page><Insecure /></Page>, root)
}
