/** A server that serves damaged ciphertext: the page says so, and nothing of it becomes a file. */

import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { randomContent } from '../helpers/client.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { needs } from '../helpers/services.js'
import { startLyingProxy } from '../hostile/scene.js'
import { press, reads, send, startPeople, violations } from './page.js'

t.test('a bit of the last chunk', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t)
  const { origin: lying } = await startLyingProxy(t, origin, 'bit-in-the-last-chunk')
  const { open } = await startPeople(t)
  const path = join(await temporaryFolder(t), 'a.bin')
  await writeFile(path, randomContent(3 * 2 ** 20))
  const alice = await open(lying)
  const bob = await open(`${lying}/#${await send(alice, path)}`)
  await press(bob, 'Save')
  await reads(bob, 'Nothing of it was kept.')
  t.same(await violations(bob.page), [])
  t.same(await readdir(bob.downloads), [])
  await press(bob, 'Leave')
  await reads(alice, 'Not everything was taken')
  t.same(await violations(alice.page), [])
})
