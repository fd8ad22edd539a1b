/** Sending goes on in another tab after its own has gone: loaded again, killed, or closed. */

import { mkdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HTTPRequest, Page } from 'puppeteer-core'
import t, { type Test } from 'tap'
import { randomContent, sha256 } from '../helpers/client.js'
import { startProxy } from '../helpers/proxy.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs } from '../helpers/services.js'
import { layoutFaults } from './access.js'
import { choose, enterCode, personAt, press, reads, recordsOf, send, shownCode, startPeople, textOf, valueOf, violations, type Person } from './page.js'

const MIB = 2 ** 20

/** Somebody who was interrupted while sending. */
interface Sender extends Person {
  readonly code: string
  readonly address: string
  readonly pieces: readonly Piece[]
  /** Resets the connection that was held: what comes after the interruption is not to go by it. */
  readonly cut: () => void
}

/** What a page sends of a large file. */
interface Piece {
  readonly fileId: string
  readonly offset: number
  /** The Authorization of its request. */
  readonly token: string
}

/** The pieces that a page sends from now on. */
function recordPieces (page: Page): readonly Piece[] {
  const pieces: Piece[] = []
  page.on('request', (request: HTTPRequest) => {
    const { authorization: token = '', 'upload-offset': offset } = request.headers()
    if (request.method() === 'PATCH') pieces.push({ fileId: request.url().split('/').at(-1) ?? '', offset: Number(offset), token })
  })
  return pieces
}

const idsOf = (pieces: readonly Piece[]): readonly string[] => [...new Set(pieces.map(({ fileId }) => fileId))]

/** Loads the page again, as somebody who has touched it, and means it. @returns what was asked */
async function reload ({ page }: Person): Promise<readonly string[]> {
  const asked: string[] = []
  page.once('dialog', (dialog) => {
    asked.push(dialog.type())
    void dialog.accept()
  })
  await page.click('h1')
  await page.reload()
  return asked
}

/** Chooses files where a transfer is gone on with. */
async function chooseAgain (person: Person, ...paths: readonly string[]): Promise<void> {
  await reads(person, 'Go on sending')
  await choose(person, ...paths)
}

/** How many records the browser keeps. */
const kept = async ({ page }: Person): Promise<number> => (await page.evaluate(recordsOf)).length

/** Changes a bit of what the browser keeps first in a store. */
const damage = async ({ page }: Person, store: string): Promise<void> => await page.evaluate(async (name: string) => await new Promise<void>((resolve, reject) => {
  const opening = indexedDB.open('local-send')
  opening.onsuccess = () => {
    const transaction = opening.result.transaction(name, 'readwrite')
    const reading = transaction.objectStore(name).openCursor()
    reading.onsuccess = () => {
      const record = reading.result?.value as { readonly sealed: Uint8Array }
      record.sealed.set([(record.sealed[20] ?? 0) ^ 1], 20)
      reading.result?.update(record)
    }
    transaction.onabort = () => { reject(new Error('nothing was changed')) }
    transaction.oncomplete = () => {
      opening.result.close()
      resolve()
    }
  }
}), store)

t.test('sending goes on, in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t)
  const people = await startPeople(t)
  const { open } = people
  const folder = await temporaryFolder(t)
  const content = randomContent(12 * MIB)
  const path = join(folder, 'a.bin')
  await writeFile(path, content)

  /** Somebody whose tab is in the middle of sending. */
  async function sendHalf (t: Test, { paths = [path], after = 8 * MIB, isManaged = false } = {}): Promise<Sender> {
    const { origin: address, hold } = await startProxy(t, origin)
    const alice = await open(address)
    const pieces = recordPieces(alice.page)
    if (isManaged) {
      await (await alice.page.$$('summary'))[1]?.click()
      await alice.page.click('input[type="checkbox"]')
    }
    const held = hold(after)
    const code = await send(alice, ...paths)
    return { ...alice, address, code, pieces, ...await held }
  }

  /** Kills the tab, of which nothing is asked or told. @returns its user at another one */
  async function inAnotherTab ({ page, downloads, address, cut, ...rest }: Sender): Promise<Sender & { readonly before: readonly Piece[] }> {
    const context = page.browserContext()
    await page.close()
    cut()
    const next = await context.newPage()
    const pieces = recordPieces(next)
    return { ...rest, ...await personAt(next, address, downloads), address, cut, pieces, before: rest.pieces }
  }

  /** Receives what is there, and looks whether it is what was sent. */
  async function receives (t: Test, bob: Person, name: string, content: Uint8Array): Promise<void> {
    await reads(bob, 'This is all of it.')
    await press(bob, 'Save')
    await reads(bob, 'Everything is here')
    t.equal(sha256(await readFile(await downloaded(bob.downloads, name))), sha256(content), name)
  }

  await t.test('after a reload that was asked about, to whoever had joined before, from where it stopped', async (t) => {
    const alice = await sendHalf(t)
    const bob = await open(`${origin}/#${alice.code}`)
    await reads(alice, 'The other side has joined.')
    await press(bob, 'Save')
    await reads(bob, 'Receiving')
    const before = alice.pieces.length
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
    await reads(alice, 'Received and verified')
    await reads(bob, 'Everything is here')
    t.equal(sha256(await readFile(await downloaded(bob.downloads, 'a.bin'))), sha256(content))
    t.equal(idsOf(alice.pieces).length, 1, 'under the same id')
    const from = Math.min(...alice.pieces.slice(before).map(({ offset }) => offset))
    t.ok(from >= MIB, `from ${from} on`)
    t.equal(await kept(alice), 0, 'nothing is kept any longer')
    t.same(alice.complaints, [])
  })

  await t.test('after its tab was killed, to whoever joins afterwards', async (t) => {
    const alice = await inAnotherTab(await sendHalf(t))
    await reads(alice, 'A transfer was interrupted in this browser.')
    await enterCode(alice, alice.code)
    await chooseAgain(alice, path)
    await reads(alice, 'Nobody has joined yet.')
    await receives(t, await open(`${origin}/#${alice.code}`), 'a.bin', content)
    await reads(alice, 'Received and verified')
    t.same(idsOf(alice.pieces), idsOf(alice.before))
    t.equal(await kept(alice), 0)
  })

  await t.test('a tab that takes its time to go is waited for', async (t) => {
    const first = await sendHalf(t)
    const dying = await first.page.browserContext().newPage()
    await dying.goto(first.address)
    // It stands for the old tab, from when that has gone.
    await dying.evaluate((name: string) => {
      void navigator.locks.request(name, async () => { await new Promise((resolve) => { setTimeout(resolve, 300) }) })
    }, `kept-${first.code.split('-')[0] ?? ''}-creator`)
    const alice = await inAnotherTab(first)
    await enterCode(alice, alice.code)
    await reads(alice, 'Go on sending')
    await press(alice, 'Stop sharing')
  })

  await t.test('in the same tab, when the server was away for too long', async (t) => {
    const alice = await sendHalf(t)
    await alice.page.evaluate(() => {
      // Two minutes of patience, in two seconds.
      const truly = window.setTimeout.bind(window)
      window.setTimeout = ((work: () => void, milliseconds: number) => truly(work, milliseconds / 60)) as typeof window.setTimeout
    })
    await alice.page.setOfflineMode(true)
    alice.cut()
    await reads(alice, 'The server cannot be reached')
    await alice.page.setOfflineMode(false)
    await press(alice, 'Start again')
    await reads(alice, 'A transfer was interrupted in this browser.')
    await enterCode(alice, alice.code)
    await reads(alice, 'Go on sending')
    await choose(alice, path)
    await receives(t, await open(`${origin}/#${alice.code}`), 'a.bin', content)
    await reads(alice, 'Received and verified')
    t.equal(await kept(alice), 0)
  })

  await t.test('twice', async (t) => {
    const first = await inAnotherTab(await sendHalf(t))
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

  await t.test('where the server encrypts', async (t) => {
    const alice = await inAnotherTab(await sendHalf(t, { isManaged: true }))
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
      const alice = await inAnotherTab(await sendHalf(t, { paths: [changing] }))
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
    const alice = await inAnotherTab(await sendHalf(t))
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
    t.equal(await kept(alice), 0, 'who stops keeps nothing')
    t.equal((await fetch(`${origin}/api/session/${id}/files`, { headers: { authorization: alice.before[0]?.token ?? '' } })).ok, false, 'and the session has ended')
  })

  await t.test('a session that has ended meanwhile', async (t) => {
    const alice = await inAnotherTab(await sendHalf(t))
    const [id = ''] = alice.code.split('-')
    t.equal((await fetch(`${origin}/api/session/${id}/close`, { method: 'POST', headers: { authorization: alice.before[0]?.token ?? '' } })).status, 200)
    await enterCode(alice, alice.code)
    await reads(alice, 'The session has ended.')
    t.notMatch(await textOf(alice.page), 'A transfer was interrupted', 'there is nothing to go on with')
    t.equal(await kept(alice), 0)
  })

  await t.test('a server that cannot be reached is no end', async (t) => {
    const alice = await inAnotherTab(await sendHalf(t))
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
    const alice = await inAnotherTab(await sendHalf(t, { paths: [path, other], after: 20 * MIB }))
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
    await press(alice, 'Go on without them')
    await receives(t, bob, 'a.bin', content)
    await reads(alice, 'Received and verified')
    t.notMatch(await textOf(bob.page), 'b.bin\n', 'what was begun of it is taken back')
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
    const { origin: address, hold } = await startProxy(t, origin)
    const first = await open(address)
    const pieces = recordPieces(first.page)
    const held = hold(8 * MIB)
    const devtools = await first.page.createCDPSession()
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) await devtools.send('Input.dispatchDragEvent', { type, x: 200, y: 200, data: { items: [], files: [tree], dragOperationsMask: 1 } })
    const code = await shownCode(first.page)
    const alice = await inAnotherTab({ ...first, address, code, pieces, ...await held })
    await enterCode(alice, code)
    await reads(alice, 'tree/sub/a.bin')
    await (await alice.page.$<'input'>('input[data-pick="folder"]' as 'input'))?.uploadFile(tree)
    await reads(alice, 'Everything is uploaded')
    const bob = await open(`${origin}/#${code}`)
    await reads(bob, 'This is all of it.')
    t.equal(await bob.page.$$eval('.rows .name', (names) => names.map(({ textContent }) => textContent).sort().join()), 'tree/empty,tree/small.txt,tree/sub/a.bin')
    t.same(idsOf(alice.pieces), idsOf(alice.before))
  })

  for (const store of ['lines', 'notes'] as const) {
    await t.test(`what is damaged of the ${store} was never written, and nothing is taken up that rests on it`, async (t) => {
      const alice = await inAnotherTab(await sendHalf(t))
      await damage(alice, store)
      await enterCode(alice, alice.code)
      await chooseAgain(alice, path)
      await reads(alice, 'Everything is uploaded')
      t.notOk(idsOf(alice.pieces).some((id) => idsOf(alice.before).includes(id)), 'it starts over, under another id')
      const bob = await open(`${origin}/#${alice.code}`)
      await press(bob, 'Save')
      t.equal(sha256(await readFile(await downloaded(bob.downloads, 'a.bin'))), sha256(content))
    })
  }

  await t.test('who wants it forgotten has all of it forgotten', async (t) => {
    const alice = await inAnotherTab(await sendHalf(t))
    t.ok(await kept(alice) > 2)
    await press(alice, 'Forget it')
    await alice.page.waitForFunction(() => !document.body.innerText.includes('A transfer was interrupted'))
    t.equal(await kept(alice), 0)
  })

  await t.test('where the disk is full, nothing is kept, and what is under way goes on', async (t) => {
    const alice = await open(origin)
    await alice.page.evaluate(() => {
      const put = Reflect.get<IDBObjectStore, 'put'>(IDBObjectStore.prototype, 'put')
      IDBObjectStore.prototype.put = function (this: IDBObjectStore, ...given) {
        if (this.name === 'notes') throw new DOMException('', 'QuotaExceededError')
        return put.apply(this, given)
      }
    })
    const code = await send(alice, path)
    await reads(alice, 'Everything is uploaded')
    t.equal(await kept(alice), 0)
    await receives(t, await open(`${origin}/#${code}`), 'a.bin', content)
    await reads(alice, 'Received and verified')
  })
})
