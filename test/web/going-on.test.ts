/** Sending goes on in another tab after its own has gone: loaded again, killed, or closed. */

import { mkdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { sha256 } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startProxy } from '../helpers/proxy.js'
import { startServer } from '../helpers/server.js'
import { downloaded, needs } from '../helpers/services.js'
import { layoutFaults } from './access.js'
import { chooseAgain, HALF, idsOf, inAnotherTab, loseServer, MIB, receives, recordPieces, reload, sendHalf, startScene } from './interrupted.js'
import { kept } from './kept.js'
import { drop, enterCode, press, reads, shownCode, textOf, valueOf, violations } from './page.js'

t.test('sending goes on, in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const scene = await startScene(t)
  const { origin, open, folder, content, path } = scene

  await t.test('after a reload that was asked about, to whoever had joined before, from where it stopped', async (t) => {
    const alice = await sendHalf(t, scene)
    const bob = await open(`${origin}/#${alice.code}`)
    await reads(alice, 'The other side has joined.')
    await press(bob, 'Save')
    await reads(bob, 'Receiving')
    const before = alice.pieces.length
    const verifier = await alice.page.$eval('.verifiers code', ({ textContent }) => textContent)
    t.same(await reload(alice), ['beforeunload'])
    alice.cut()
    await reads(alice, 'A transfer was interrupted in this browser.')
    t.notMatch(await textOf(alice.page), 'that ended the transfer')
    await enterCode(alice, alice.code)
    await reads(alice, 'Go on sending')
    await reads(alice, '1 file missing:')
    await reads(alice, 'a.bin')
    t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []])
    await chooseAgain(alice, path)
    t.equal(await shownCode(alice.page), alice.code)
    await reads(alice, 'The other side has joined.')
    await reads(alice, verifier)
    await reads(alice, 'Received and verified')
    await reads(bob, 'Everything is here')
    t.equal(sha256(await readFile(await downloaded(bob.downloads, 'a.bin'))), sha256(content))
    t.equal(idsOf(alice.pieces).length, 1, 'under the same id')
    const from = Math.min(...alice.pieces.slice(before).map(({ offset }) => offset))
    t.ok(from >= MIB, `from ${from} on`)
    t.equal((await kept(alice)).records, 0, 'nothing is kept any longer')
    t.same(alice.complaints, [])
  })

  await t.test('after its tab was killed, to whoever joins afterwards', async (t) => {
    const alice = await inAnotherTab(await sendHalf(t, scene))
    await reads(alice, 'A transfer was interrupted in this browser.')
    await enterCode(alice, alice.code)
    await chooseAgain(alice, path)
    await reads(alice, 'Nobody has joined yet.')
    await receives(t, await open(`${origin}/#${alice.code}`), 'a.bin', content)
    await reads(alice, 'Received and verified')
    t.same(idsOf(alice.pieces), idsOf(alice.before))
    t.equal((await kept(alice)).records, 0)
  })

  await t.test('in the same tab, when the server was away for too long', async (t) => {
    const alice = await sendHalf(t, scene)
    await loseServer(alice, alice.breakDown)
    await press(alice, 'Start again')
    await reads(alice, 'A transfer was interrupted in this browser.')
    await enterCode(alice, alice.code)
    await reads(alice, 'Go on sending')
    await chooseAgain(alice, path)
    await receives(t, await open(`${origin}/#${alice.code}`), 'a.bin', content)
    await reads(alice, 'Received and verified')
    t.equal((await kept(alice)).records, 0)
  })

  await t.test('twice', async (t) => {
    const first = await inAnotherTab(await sendHalf(t, scene))
    await enterCode(first, first.code)
    await chooseAgain(first, path)
    await reads(first, 'Everything is uploaded')
    const alice = await inAnotherTab(first)
    await enterCode(alice, alice.code)
    await reads(alice, 'Everything is uploaded')
    await receives(t, await open(`${origin}/#${alice.code}`), 'a.bin', content)
    await reads(alice, 'Received and verified')
    t.same(alice.pieces, [], 'what the server has is not sent again')
  })

  await t.test('what was dropped, and is read when its user has decided otherwise, changes nothing', async (t) => {
    const other = join(folder, 'b.bin')
    await writeFile(other, content)
    const alice = await inAnotherTab(await sendHalf(t, scene, { paths: [path, other], after: 12 * MIB + HALF }))
    await enterCode(alice, alice.code)
    await reads(alice, 'Go on sending')
    await alice.page.evaluate(() => {
      const entryOf = Reflect.get<DataTransferItem, 'webkitGetAsEntry'>(DataTransferItem.prototype, 'webkitGetAsEntry')
      DataTransferItem.prototype.webkitGetAsEntry = function (this: DataTransferItem) {
        const entry = entryOf.call(this) as FileSystemFileEntry
        const read = entry.file.bind(entry)
        entry.file = (onRead, onFailure) => {
          document.addEventListener('click', () => {
            read((file) => {
              onRead(file)
              setTimeout(() => { document.body.dataset['read'] = 'true' })
            }, onFailure)
          }, { once: true })
        }
        return entry
      }
    })
    await drop(alice, other)
    await press(alice, 'Go on without them')
    await alice.page.waitForSelector('body[data-read]')
    await reads(alice, 'Everything is uploaded')
    t.notMatch(await textOf(alice.page), 'b.bin')
    await receives(t, await open(`${origin}/#${alice.code}`), 'a.bin', content)
    await reads(alice, 'Received and verified')
  })

  await t.test('where the server encrypts', async (t) => {
    const alice = await inAnotherTab(await sendHalf(t, scene, { isManaged: true }))
    await enterCode(alice, alice.code)
    await chooseAgain(alice, path)
    await reads(alice, 'the server has encrypted it')
    const bob = await open(`${origin}/#${alice.code}`)
    await press(bob, 'Join all the same')
    await press(bob, 'Save')
    await reads(alice, 'Received and verified')
    t.equal(sha256(await readFile(await downloaded(bob.downloads, 'a.bin'))), sha256(content))
    t.same(idsOf(alice.pieces), idsOf(alice.before))
  })

  for (const isTouched of [true, false]) {
    await t.test(`a file that has changed ${isTouched ? '' : 'unseen '}starts over, under another id`, async (t) => {
      const changing = join(folder, 'changing.bin')
      await writeFile(changing, content)
      const { atime, mtime } = await stat(changing)
      const alice = await inAnotherTab(await sendHalf(t, scene, { paths: [changing] }))
      const changed = Uint8Array.from(content, (byte) => byte ^ 1)
      await writeFile(changing, changed)
      await utimes(changing, atime, isTouched ? new Date(mtime.getTime() + 60_000) : mtime)
      await enterCode(alice, alice.code)
      await chooseAgain(alice, changing)
      await receives(t, await open(`${origin}/#${alice.code}`), 'changing.bin', changed)
      await reads(alice, 'Received and verified')
      t.notOk(isTouched && idsOf(alice.pieces).some((id) => idsOf(alice.before).includes(id)))
      t.equal(alice.pieces.filter(({ offset }) => offset === 0).length, 1, 'from its beginning')
    })
  }

  await t.test('wrong words, or none, open nothing, and the right ones still do', async (t) => {
    const alice = await inAnotherTab(await sendHalf(t, scene))
    const [id = '', digits = ''] = alice.code.split('-')
    for (const [typed, problem] of [[`${id}-${digits}-zoo-zoo-zoo`, 'one of its words is another'], [`${id}-${digits}`, 'enter the whole code, with its words']] as const) {
      await alice.page.$eval('#code', (input) => { (input as HTMLInputElement).select() })
      await enterCode(alice, typed)
      await reads(alice, problem)
      t.same(await violations(alice.page), [], problem)
      t.equal(await valueOf(alice, '#code'), typed, 'it is still there')
    }
    await alice.page.$eval('#code', (input) => { (input as HTMLInputElement).select() })
    await enterCode(alice, alice.code)
    await reads(alice, 'Go on sending')
    await press(alice, 'Stop sharing')
    await reads(alice, 'Stopped')
    t.equal((await kept(alice)).records, 0, 'who stops keeps nothing')
    // It ends behind what the page says.
    await eventually(async () => !(await fetch(`${origin}/api/session/${id}/files`, { headers: { authorization: alice.before[0]?.token ?? '' } })).ok)
  })

  await t.test('a server that says nothing is not waited for for ever', async (t) => {
    const alice = await inAnotherTab(await sendHalf(t, scene))
    await alice.page.evaluate(() => {
      const timeout = AbortSignal.timeout.bind(AbortSignal)
      AbortSignal.timeout = (milliseconds) => timeout(milliseconds / 60)
      window.fetch = (_url, init) => new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => { reject(new DOMException('', 'AbortError')) })
      })
    })
    await enterCode(alice, alice.code)
    await reads(alice, 'The server cannot be reached')
    t.not((await kept(alice)).records, 0, 'it can still be gone on with')
  })

  await t.test('nobody is let in where nobody was any more', async (t) => {
    const half = await sendHalf(t, scene)
    const [id = '', , ...words] = half.code.split('-')
    for (let i = 0; i < 5; i++) {
      const guesser = await open(`${origin}/#${id}-00000${i}-${words.join('-')}`)
      await reads(guesser, 'Start again')
      await guesser.page.close()
    }
    const alice = await inAnotherTab(half)
    await enterCode(alice, alice.code)
    await chooseAgain(alice, path)
    await reads(alice, 'nobody else is let in')
    await press(alice, 'Stop sharing')
  })

  await t.test('a file that has become too large ends nothing', async (t) => {
    const small = await startServer(t, { MAX_FILE_SIZE: '16MiB' })
    const growing = join(folder, 'growing.bin')
    await writeFile(growing, content)
    const alice = await inAnotherTab(await sendHalf(t, { ...scene, origin: small.origin }, { paths: [growing] }))
    await writeFile(growing, new Uint8Array(17 * MIB))
    await enterCode(alice, alice.code)
    await chooseAgain(alice, growing)
    await reads(alice, 'larger than this server accepts')
    await writeFile(growing, content)
    await press(alice, 'Start again')
    await enterCode(alice, alice.code)
    await chooseAgain(alice, growing)
    await receives(t, await open(`${small.origin}/#${alice.code}`), 'growing.bin', content)
    await reads(alice, 'Received and verified')
  })

  await t.test('a session that has ended meanwhile', async (t) => {
    const alice = await inAnotherTab(await sendHalf(t, scene))
    const [id = ''] = alice.code.split('-')
    t.equal((await fetch(`${origin}/api/session/${id}/close`, { method: 'POST', headers: { authorization: alice.before[0]?.token ?? '' } })).status, 200)
    await enterCode(alice, alice.code)
    await reads(alice, 'The session has ended.')
    t.notMatch(await textOf(alice.page), 'A transfer was interrupted', 'there is nothing to go on with')
    t.equal((await kept(alice)).records, 0)
  })

  await t.test('a server that cannot be reached is no end', async (t) => {
    const alice = await inAnotherTab(await sendHalf(t, scene))
    await alice.page.setOfflineMode(true)
    await enterCode(alice, alice.code)
    await reads(alice, 'The server cannot be reached')
    await alice.page.setOfflineMode(false)
    await press(alice, 'Connect')
    await reads(alice, 'Go on sending')
  })

  await t.test('a file that is not chosen again is asked for, and left out only by choice', async (t) => {
    const other = join(folder, 'b.bin')
    const stranger = join(folder, 'c.bin')
    for (const path of [other, stranger]) await writeFile(path, content)
    const alice = await inAnotherTab(await sendHalf(t, scene, { paths: [path, other], after: 12 * MIB + HALF }))
    const bob = await open(`${origin}/#${alice.code}`)
    await enterCode(alice, alice.code)
    await reads(alice, '1 file missing:')
    await reads(alice, 'b.bin')
    await chooseAgain(alice, path, stranger)
    await reads(alice, 'Not part of this transfer, and left out: 1 file.')
    await reads(alice, '1 file missing:')
    await reads(alice, 'b.bin')
    t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []], 'one is missing')
    t.equal(await alice.page.$('[data-code]'), null, 'nothing goes on yet')
    await reads(bob, 'b.bin')
    await press(alice, 'Go on without them')
    await reads(bob, 'Taken back by the sender')
    await receives(t, bob, 'a.bin', content)
    await reads(alice, 'Received and verified')
  })

  await t.test('what was uploaded whole, and a text, need no files', async (t) => {
    const alice = await open(origin)
    for (const summary of await alice.page.$$('summary')) await summary.click()
    await alice.page.type('#text', 'A text that was typed once.')
    await press(alice, 'Send this text')
    const code = await shownCode(alice.page)
    await reads(alice, 'Everything is uploaded')
    await reload(alice)
    await enterCode(alice, code)
    t.equal(await shownCode(alice.page), code)
    await reads(alice, 'Everything is uploaded')
    const bob = await open(`${origin}/#${code}`)
    await press(bob, 'Show text')
    await reads(bob, 'A text that was typed once.')
    t.equal((await textOf(bob.page)).split('A text that was typed once.').length, 2, 'once')
    await reads(alice, 'Received and verified')
  })

  await t.test('a folder that was dropped is known again when it is chosen, and so is what is empty in it', async (t) => {
    const tree = join(folder, 'tree')
    for (const name of ['empty', 'sub']) await mkdir(join(tree, name), { recursive: true })
    await writeFile(join(tree, 'sub', 'a.bin'), content)
    await writeFile(join(tree, 'small.txt'), 'small')
    const { origin: address, hold, breakDown } = await startProxy(t, origin)
    const first = await open(address)
    const pieces = recordPieces(first.page)
    const held = hold(HALF)
    await drop(first, tree)
    const code = await shownCode(first.page)
    const alice = await inAnotherTab({ ...first, address, code, pieces, breakDown, ...await held })
    await enterCode(alice, code)
    await reads(alice, 'tree/sub/a.bin')
    await (await alice.page.$<'input'>('input[data-pick="folder"]' as 'input'))?.uploadFile(tree)
    await reads(alice, 'Everything is uploaded')
    const bob = await open(`${origin}/#${code}`)
    await reads(bob, 'This is all of it.')
    t.equal(await bob.page.$$eval('.rows .name', (names) => names.map(({ textContent }) => textContent).sort().join()), 'tree/empty,tree/small.txt,tree/sub/a.bin')
    t.same(idsOf(alice.pieces), idsOf(alice.before))
  })
})
