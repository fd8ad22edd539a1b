/** From page to page in Chromium: what is chosen on one is a file on the disk of the other, byte for byte. */

import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { randomContent, sha256 } from '../helpers/client.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs } from '../helpers/services.js'
import { layoutFaults, motions, tabTo } from './access.js'
import { enterCode, press, reads, send, shownCode, startPeople, textOf, valueOf, violations } from './page.js'

t.test('from page to page in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t)
  const { open } = await startPeople(t, '--host-resolver-rules=MAP send.example.org 127.0.0.1')
  const folder = await temporaryFolder(t)
  const large = randomContent(5 * 2 ** 20 + 12_345)
  await writeFile(join(folder, 'holiday ä.bin'), large)
  await writeFile(join(folder, 'notes.txt'), 'Some notes.')

  await t.test('a file, by a code that is typed untidily', async (t) => {
    const [alice, bob] = await Promise.all([open(origin), open(origin)])
    t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []], 'home')
    const code = await send(alice, join(folder, 'holiday ä.bin'))
    t.match(code, /^[0-9a-f]{8}-\d{6}-[a-z]+-[a-z]+-[a-z]+$/)
    await reads(alice, 'Nobody has joined yet')
    t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []], 'sharing')
    t.not((await motions(alice.page)).length, 0, 'something moves')
    await alice.page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }])
    t.same(await motions(alice.page), [], 'nothing moves for whom that is too much')
    await enterCode(bob, ` ${code.toUpperCase().replaceAll('-', '  ')} `)
    await reads(bob, 'holiday ä.bin')
    await reads(bob, 'This is all of it.')
    t.same([await violations(bob.page), await layoutFaults(bob.page)], [[], []], 'on offer')
    const verifier = /[0-9a-f]{4}(?: [0-9a-f]{4}){3}/.exec(await textOf(bob.page))?.[0] ?? 'none'
    await reads(alice, verifier)
    await press(bob, 'Save')
    await reads(bob, 'Everything is here')
    await reads(alice, 'Received and verified')
    t.equal(sha256(await readFile(await downloaded(bob.downloads, 'holiday ä.bin'))), sha256(large))
    t.same([await violations(alice.page), await violations(bob.page)], [[], []], 'both ends')
    t.same([await layoutFaults(alice.page), await layoutFaults(bob.page)], [[], []], 'both ends, narrow')
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
    await bob.page.waitForSelector('a[download="local-send.zip"]')
    await bob.page.select('.language select', 'de')
    t.same(await layoutFaults(bob.page), [], 'with longer words')
    await reads(alice, 'Received and verified')
    const unpacked = join(folder, 'unpacked')
    await mkdir(unpacked)
    await promisify(execFile)('unzip', ['-q', await downloaded(bob.downloads, 'local-send.zip'), '-d', unpacked])
    t.equal(sha256(await readFile(join(unpacked, 'holiday ä.bin'))), sha256(large))
    t.equal(await readFile(join(unpacked, 'notes.txt'), 'utf8'), 'Some notes.')
  })

  await t.test('a text, by keyboard alone, which is shown as text', async (t) => {
    const text = '<img src=x onerror="alert(1)"> and <b>nothing</b> else'
    const [alice, bob] = [await open(origin), await open(origin)]
    await tabTo(alice.page, 'Send a text')
    await alice.page.keyboard.press('Space')
    await tabTo(alice.page, 'Text')
    await alice.page.keyboard.type(text)
    await tabTo(alice.page, 'Send this text')
    await alice.page.keyboard.press('Enter')
    const code = await shownCode(alice.page)
    await bob.page.bringToFront()
    await tabTo(bob.page, 'Code or link')
    await bob.page.keyboard.type(code)
    await bob.page.keyboard.press('Enter')
    await reads(bob, 'This is all of it.')
    await tabTo(bob.page, 'Show text')
    await bob.page.keyboard.press('Enter')
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

  await t.test('for more people than there may be: as many as the field then shows', async (t) => {
    const alice = await open(origin)
    await (await alice.page.$$('summary'))[1]?.click()
    const shown: string[] = []
    for (const typed of ['3', '25', '0', '-4', '2.5', '']) {
      await alice.page.$eval('input[type="number"]', (input) => { input.select() })
      await alice.page.keyboard.press('Backspace')
      await alice.page.type('input[type="number"]', typed)
      await alice.page.keyboard.press('Tab')
      shown.push(await valueOf(alice, 'input[type="number"]'))
    }
    t.same(shown, ['3', '20', '20', '20', '2', '2'])
    const code = await send(alice, join(folder, 'notes.txt'))
    const bob = await open(`${origin}/#${code}`)
    await reads(bob, 'This is all of it.')
    await reads(alice, '1 of 2 people joined.')
    await press(alice, 'Stop sharing')
    await press(alice, 'Start again')
    await reads(alice, 'How many may receive it')
    t.equal(await valueOf(alice, 'input[type="number"]'), '2', 'as many the next time')
  })

  await t.test('a file is chosen, and its sharing stopped, by keyboard alone', async (t) => {
    const alice = await open(origin)
    // Keys reach a busy page ahead of commands: what asks for the chooser is sent before the last answer of the page.
    const chosen = alice.page.waitForFileChooser()
    await tabTo(alice.page, 'Choose files')
    await alice.page.keyboard.press('Space')
    const chooser = await chosen
    await chooser.accept([join(folder, 'notes.txt')])
    const bob = await open(`${origin}/#${await shownCode(alice.page)}`)
    await reads(bob, 'This is all of it.')
    t.same(await layoutFaults(bob.page), [], 'on offer, narrow')
    await alice.page.bringToFront()
    await tabTo(alice.page, 'Stop sharing')
    await alice.page.keyboard.press('Space')
    await reads(alice, 'the server has deleted what was uploaded')
    await reads(bob, 'The sender has ended the session')
    t.same([await violations(alice.page), await violations(bob.page)], [[], []], 'stopped, ended')
  })

  await t.test('somebody who waits for an answer, and leaves', async (t) => {
    const created = await fetch(`${origin}/api/session/create`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"kind":"end-to-end"}' })
    const { session_id: id, verification_code: digits } = await created.json() as Readonly<Record<string, string>>
    const bob = await open(`${origin}/#${id ?? ''}-${digits ?? ''}`)
    await reads(bob, 'one that is not part of the code')
    t.same([await violations(bob.page), await layoutFaults(bob.page)], [[], []], 'asked for the passphrase')
    await bob.page.type('#passphrase', 'Nobody is there to ask')
    await press(bob, 'Connect')
    await reads(bob, 'Waiting for the other side')
    t.same([await violations(bob.page), await layoutFaults(bob.page)], [[], []], 'joining')
    await press(bob, 'Cancel')
    await reads(bob, 'You have left')
    t.same([await violations(bob.page), await layoutFaults(bob.page)], [[], []], 'left')
  })

  await t.test('from right to left', async (t) => {
    const alice = await open(origin)
    await alice.page.select('.language select', 'ar')
    t.equal(await alice.page.evaluate(() => document.documentElement.dir), 'rtl')
    for (const summary of await alice.page.$$('summary')) await summary.click()
    t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []], 'home')
    await send(alice, join(folder, 'notes.txt'))
    t.equal(await alice.page.$eval('[data-code]', (code) => getComputedStyle(code).direction), 'ltr', 'a code is read as it is written')
    t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []], 'sharing')
  })

  await t.test('names of either direction, from right to left', async (t) => {
    const names = ['report (final) 2.pdf', 'تقرير (2).pdf']
    for (const name of names) await writeFile(join(folder, name), 'x')
    const alice = await open(origin)
    const code = await send(alice, ...names.map((name) => join(folder, name)))
    const bob = await open(`${origin}/#${code}`)
    await reads(bob, 'This is all of it.')
    for (const { page } of [alice, bob]) {
      await page.select('.language select', 'ar')
      t.same(await page.$$eval('.row', (rows) => rows.map((row) => {
        const text = document.createRange()
        text.selectNodeContents(row.querySelector('.name') ?? row)
        const gap = (row.querySelector('.icon')?.getBoundingClientRect().left ?? 0) - text.getBoundingClientRect().right
        return [text.toString(), gap > 0 && gap < 32]
      })), names.map((name) => [name, true]), 'beside their icons')
      t.same(await page.$$eval('.row .name', (all) => all.map((name) => getComputedStyle(name.querySelector('bdi') ?? name).direction)), ['ltr', 'rtl'], 'each in its own order')
    }
  })

  await t.test('at an address without HTTPS', async (t) => {
    const plain = await open(origin.replace('127.0.0.1', 'send.example.org'))
    await reads(plain, 'This address is not secure enough')
    t.same([await violations(plain.page), await layoutFaults(plain.page)], [[], []])
  })
})
