/** What is there of a tab that received, and has gone: files that were saved, and a session that has been left. */

import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { randomContent, sha256 } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs } from '../helpers/services.js'
import { layoutFaults } from './access.js'
import { kill, reload } from './interrupted.js'
import { kept } from './kept.js'
import { enterCode, personAt, press, reads, send, startPeople, textOf, violations } from './page.js'

t.test('what was saved before an interruption', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t)
  const { open } = await startPeople(t)
  const folder = await temporaryFolder(t)
  const contents = new Map([['large.bin', randomContent(3 * 2 ** 20)], ['small.bin', randomContent(1000)], ['left.bin', randomContent(3 * 2 ** 20)]])
  for (const [name, content] of contents) await writeFile(join(folder, name), content)
  const alice = await open(origin)
  const code = await send(alice, ...[...contents.keys()].map((name) => join(folder, name)))
  const bob = await open(`${origin}/#${code}`)
  await reads(bob, 'This is all of it.')
  for (const name of ['large.bin', 'small.bin']) {
    await press(bob, `Save: ${name}`)
    await downloaded(bob.downloads, name)
  }
  await eventually(async () => (await textOf(alice.page)).split('Received').length === 3)
  await kill(bob.page)

  const later = await personAt(await bob.page.browserContext().newPage(), origin, await temporaryFolder(t))
  await enterCode(later, code)
  await reads(later, 'Saved and verified')
  t.same([await violations(later.page), await layoutFaults(later.page)], [[], []])
  t.equal((await textOf(later.page)).split('Saved and verified').length, 3, 'it is still saved')
  await rm(join(bob.downloads, 'large.bin'))
  await press(later, 'Download again: large.bin')
  t.equal(sha256(await readFile(await downloaded(bob.downloads, 'large.bin'))), sha256(contents.get('large.bin') ?? Buffer.alloc(0)))
  await press(later, 'Save')
  await reads(later, 'Everything is here')
  await reads(alice, 'Received and verified')
  t.equal(sha256(await readFile(await downloaded(bob.downloads, 'left.bin'))), sha256(contents.get('left.bin') ?? Buffer.alloc(0)))
})

t.test('a tab that goes away while nothing comes has left', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t)
  const { open } = await startPeople(t)
  const path = join(await temporaryFolder(t), 'a.bin')
  await writeFile(path, randomContent(1000))
  const alice = await open(origin)
  const bob = await open(`${origin}/#${await send(alice, path)}`)
  await reads(bob, 'This is all of it.')
  await reload(bob)
  await reads(bob, 'This page was loaded again while it was receiving')
  await eventually(async () => (await kept(bob)).records === 0)
  await reads(alice, 'Not everything was taken')
})
