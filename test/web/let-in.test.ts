/** A sender who is interrupted while somebody joins. */

import t from 'tap'
import { startProxy } from '../helpers/proxy.js'
import { needs } from '../helpers/services.js'
import { receives, reload, startScene } from './interrupted.js'
import { enterCode, reads, send } from './page.js'

t.test('whoever was being let in when the page was loaded again is let in when it goes on, in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin, open, content, path } = await startScene(t)
  const proxy = await startProxy(t, origin)
  const alice = await open(proxy.origin)
  const code = await send(alice, path)
  await reads(alice, 'Everything is uploaded')
  const holding = proxy.holdAt('/accept')
  const bob = await open(`${origin}/#${code}`)
  const held = await holding
  await reload(alice)
  held.cut()
  await enterCode(alice, code)
  await reads(alice, 'The other side has joined.')
  await receives(t, bob, 'a.bin', content)
  await reads(alice, 'Received and verified')
})
