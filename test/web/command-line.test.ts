/** The page on one side, the command on the other. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { codeOf, newPlace } from '../cli/program.js'
import { randomContent, sha256 } from '../helpers/client.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs } from '../helpers/services.js'
import { press, reads, send, shownCode, startPeople, violations } from './page.js'

t.test('the page and the command', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t)
  const { open } = await startPeople(t)
  const place = await newPlace(t, origin)
  const content = randomContent(3 * 2 ** 20 + 7)

  await t.test('from the page to the command', async (t) => {
    const folder = await temporaryFolder(t)
    await writeFile(join(folder, 'a.bin'), content)
    await writeFile(join(folder, 'b.txt'), 'small')
    const alice = await open(origin)
    const code = await send(alice, join(folder, 'a.bin'), join(folder, 'b.txt'))
    const run = place.run(['receive', '--yes', code])
    t.equal(await run.exit, 0, run.stderr())
    await reads(alice, 'Received and verified')
    t.equal(sha256(await readFile(join(place.home, 'a.bin'))), sha256(content))
    t.equal(await readFile(join(place.home, 'b.txt'), 'utf8'), 'small')
    t.same(alice.complaints, [])
  })

  await t.test('from the command to the page', async (t) => {
    await writeFile(join(place.home, 'c.bin'), content)
    const run = place.run(['send', 'c.bin'])
    const bob = await open(`${origin}/#${await codeOf(run)}`)
    await reads(bob, 'This is all of it.')
    await press(bob, 'Save')
    await reads(bob, 'Everything is here')
    t.equal(sha256(await readFile(await downloaded(bob.downloads, 'c.bin'))), sha256(content))
    t.equal(await run.exit, 0, run.stderr())
  })

  await t.test('with a passphrase of one\'s own, which is asked for', async (t) => {
    await writeFile(join(place.home, 'd.txt'), 'chosen')
    const run = place.run(['send', 'd.txt'], { environment: { LOCAL_SEND_PASSPHRASE: 'My own choice!' } })
    const bob = await open(`${origin}/#${await codeOf(run)}`)
    await bob.page.waitForSelector('#passphrase')
    await bob.page.type('#passphrase', 'My own choice!')
    await press(bob, 'Connect')
    await press(bob, 'Save')
    await reads(bob, 'Everything is here')
    t.equal(await readFile(await downloaded(bob.downloads, 'd.txt'), 'utf8'), 'chosen')
    t.equal(await run.exit, 0)
  })

  await t.test('a session that the server encrypts is joined by those alone who want that', async (t) => {
    await writeFile(join(place.home, 'e.txt'), 'managed')
    const run = place.run(['send', '--managed', 'e.txt'])
    const bob = await open(`${origin}/#${await codeOf(run)}`)
    await reads(bob, 'In this session the server encrypts')
    t.same(await violations(bob.page), [], 'asked whether that is wanted')
    await press(bob, 'Join all the same')
    await reads(bob, 'could read everything in it')
    t.same(await violations(bob.page), [], 'managed')
    await press(bob, 'Save')
    await reads(bob, 'Saved and verified')
    t.equal(await readFile(await downloaded(bob.downloads, 'e.txt'), 'utf8'), 'managed')
    t.equal(await run.exit, 0)
  })

  await t.test('a session that the server encrypts, because the page was told so', async (t) => {
    const folder = await temporaryFolder(t)
    await writeFile(join(folder, 'f.bin'), content)
    const alice = await open(origin)
    await (await alice.page.$$('summary'))[1]?.click()
    await alice.page.click('input[type="checkbox"]')
    await reads(alice, 'it learns the passphrase and can read names and contents')
    t.same(await violations(alice.page), [], 'chosen')
    const code = await send(alice, join(folder, 'f.bin'))
    await reads(alice, 'could read everything in it')
    t.same(await violations(alice.page), [], 'sharing')
    const wrong = place.run(['receive', '--managed', '--yes', code.replace(/-[a-z].*/, '-zoo-zoo-zoo')])
    t.not(await wrong.exit, 0)
    await reads(alice, 'Somebody tried a wrong passphrase')
    const run = place.run(['receive', '--managed', '--yes', await shownCode(alice.page)])
    t.equal(await run.exit, 0, run.stderr())
    await reads(alice, 'Received and verified')
    t.equal(sha256(await readFile(join(place.home, 'f.bin'))), sha256(content))
    t.same(alice.complaints, [])
  })
})
