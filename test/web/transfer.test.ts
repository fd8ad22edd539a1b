/** From page to page in Chromium: what is chosen on one is a file on the disk of the other, byte for byte. */

import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { randomContent, sha256 } from '../helpers/client.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs } from '../helpers/services.js'
import { enterCode, press, reads, send, shownCode, startPeople, textOf, violations } from './page.js'

t.test('from page to page in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t)
  const { open } = await startPeople(t)
  const folder = await temporaryFolder(t)
  const large = randomContent(5 * 2 ** 20 + 12_345)
  await writeFile(join(folder, 'holiday ä.bin'), large)
  await writeFile(join(folder, 'notes.txt'), 'Some notes.')

  await t.test('a file, by a code that is typed untidily', async (t) => {
    const [alice, bob] = await Promise.all([open(origin), open(origin)])
    t.same(await violations(alice.page), [], 'home')
    const code = await send(alice, join(folder, 'holiday ä.bin'))
    t.match(code, /^[0-9a-f]{8}-\d{6}-[a-z]+-[a-z]+-[a-z]+$/)
    await reads(alice, 'Nobody has joined yet')
    t.same(await violations(alice.page), [], 'sharing')
    await enterCode(bob, ` ${code.toUpperCase().replaceAll('-', '  ')} `)
    await reads(bob, 'holiday ä.bin')
    await reads(bob, 'This is all of it.')
    t.same(await violations(bob.page), [], 'on offer')
    const verifier = /[0-9a-f]{4}(?: [0-9a-f]{4}){3}/.exec(await textOf(bob.page))?.[0] ?? 'none'
    await reads(alice, verifier)
    await press(bob, 'Save')
    await reads(bob, 'Everything is here')
    await reads(alice, 'Received and verified')
    t.equal(sha256(await readFile(await downloaded(bob.downloads, 'holiday ä.bin'))), sha256(large))
    t.same([await violations(alice.page), await violations(bob.page)], [[], []], 'both ends')
    t.same([alice.complaints, bob.complaints], [[], []])
  })

  await t.test('several files, by a link, as one zip', async (t) => {
    if (!await needs(t, 'unzip')) return
    const alice = await open(origin)
    const code = await send(alice, join(folder, 'holiday ä.bin'), join(folder, 'notes.txt'))
    const bob = await open(`${origin}/#${code}`)
    await reads(bob, 'This is all of it.')
    t.equal(await bob.page.evaluate(() => location.href), `${origin}/`, 'the link leaves the address bar')
    await press(bob, 'Save all as one zip')
    await reads(bob, 'Everything is here')
    await reads(alice, 'Received and verified')
    const unpacked = join(folder, 'unpacked')
    await mkdir(unpacked)
    await promisify(execFile)('unzip', ['-q', await downloaded(bob.downloads, 'local-send.zip'), '-d', unpacked])
    t.equal(sha256(await readFile(join(unpacked, 'holiday ä.bin'))), sha256(large))
    t.equal(await readFile(join(unpacked, 'notes.txt'), 'utf8'), 'Some notes.')
  })

  await t.test('a text, which is shown as text', async (t) => {
    const text = '<img src=x onerror="alert(1)">\nand <b>nothing</b> else'
    const alice = await open(origin)
    await alice.page.click('summary')
    await alice.page.type('#text', text)
    await press(alice, 'Send this text')
    const bob = await open(`${origin}/#${await shownCode(alice.page)}`)
    await press(bob, 'Show text')
    await reads(bob, 'Everything is here')
    t.equal(await bob.page.$eval('pre', (element) => element.textContent), text)
    t.equal(await bob.page.$('img'), null)
    t.same(await violations(bob.page), [], 'a text')
    t.same(bob.complaints, [])
  })

  await t.test('for two people, each of them', async (t) => {
    const alice = await open(origin)
    await (await alice.page.$$('summary'))[1]?.click()
    await alice.page.$eval('input[type="number"]', (input) => { input.select() })
    await alice.page.type('input[type="number"]', '2')
    t.same(await violations(alice.page), [], 'choices')
    const code = await send(alice, join(folder, 'notes.txt'))
    for (const name of ['bob', 'carol']) {
      const person = await open(`${origin}/#${code}`)
      await press(person, 'Save')
      await reads(person, 'Everything is here')
      t.equal(await readFile(await downloaded(person.downloads, 'notes.txt'), 'utf8'), 'Some notes.', name)
    }
    await reads(alice, 'All 2 people have everything.')
  })
})
