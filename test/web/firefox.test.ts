/** From page to page in Firefox, and between it and the command: what is saved is a file on the disk, byte for byte. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { codeOf, newPlace } from '../cli/program.js'
import { randomContent, sha256 } from '../helpers/client.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs, startFirefox } from '../helpers/services.js'
import { personAt, press, reads, send } from './page.js'

t.test('in Firefox', async (t) => {
  if (!await needs(t, 'firefox')) return
  const { origin } = await startServer(t)
  const downloads = await temporaryFolder(t)
  const folder = await temporaryFolder(t)
  const browser = await startFirefox(t, downloads)
  const content = randomContent(5 * 2 ** 20 + 321)
  await writeFile(join(folder, 'from the page.bin'), content)

  await t.test('from page to page', async (t) => {
    const alice = await personAt(await browser.newPage(), origin, downloads)
    const code = await send(alice, join(folder, 'from the page.bin'))
    const bob = await personAt(await browser.newPage(), `${origin}/#${code}`, downloads)
    await reads(bob, 'This is all of it.')
    t.equal(await bob.page.evaluate(() => location.href), `${origin}/`)
    await press(bob, 'Save')
    await reads(bob, 'Everything is here')
    await reads(alice, 'Received and verified')
    t.equal(sha256(await readFile(await downloaded(downloads, 'from the page.bin'))), sha256(content))
    t.same([alice.complaints, bob.complaints], [[], []])
  })

  await t.test('to the command and from it', async (t) => {
    const place = await newPlace(t, origin)
    const alice = await personAt(await browser.newPage(), origin, downloads)
    const receiving = place.run(['receive', '--yes', await send(alice, join(folder, 'from the page.bin'))])
    t.equal(await receiving.exit, 0, receiving.stderr())
    await reads(alice, 'Received and verified')
    t.equal(sha256(await readFile(join(place.home, 'from the page.bin'))), sha256(content))
    await writeFile(join(place.home, 'from the command.bin'), content)
    const sending = place.run(['send', 'from the command.bin'])
    const bob = await personAt(await browser.newPage(), `${origin}/#${await codeOf(sending)}`, downloads)
    await press(bob, 'Save')
    await reads(bob, 'Everything is here')
    t.equal(sha256(await readFile(await downloaded(downloads, 'from the command.bin'))), sha256(content))
    t.equal(await sending.exit, 0, sending.stderr())
  })
})
