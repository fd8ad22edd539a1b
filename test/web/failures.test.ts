/** What the page does when something goes wrong: it says so, and nothing that is not whole is a file. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { randomContent, sha256 } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startProxy } from '../helpers/proxy.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs } from '../helpers/services.js'
import { layoutFaults } from './access.js'
import { enterCode, press, reads, send, shownCode, startPeople, textOf, valueOf, violations, type Person } from './page.js'

t.test('failures, in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t)
  const { open } = await startPeople(t)
  const folder = await temporaryFolder(t)
  const content = randomContent(5 * 2 ** 20)
  const path = join(folder, 'a.bin')
  await writeFile(path, content)

  await t.test('a wrong passphrase is told to both sides, and the right one still opens', async (t) => {
    const alice = await open(origin)
    const code = await send(alice, path)
    const [id, digits] = code.split('-')
    const mallory = await open(origin)
    await enterCode(mallory, `${id ?? ''}-${digits ?? ''}-zoo-zoo-zoo`)
    await reads(mallory, 'The passphrase is wrong on one side')
    t.same(await violations(mallory.page), [], 'a failure')
    await reads(alice, 'Somebody tried a wrong passphrase')
    t.same(await violations(alice.page), [], 'somebody was refused')
    await press(mallory, 'Start again')
    await mallory.page.waitForSelector('#code')
    t.equal(await valueOf(mallory, '#code'), `${id ?? ''}-${digits ?? ''}-zoo-zoo-zoo`, 'the code is still there')
    await enterCode(mallory, 'no code')
    await reads(mallory, 'This is not a code.')
    await enterCode(mallory, '')
    await mallory.page.$eval('#code', (input) => { (input as HTMLInputElement).select() })
    await enterCode(mallory, code)
    await press(mallory, 'Save')
    await reads(mallory, 'Everything is here')
    t.equal(sha256(await readFile(await downloaded(mallory.downloads, 'a.bin'))), sha256(content))
    await press(mallory, 'Start again')
    await mallory.page.waitForSelector('#code')
    t.equal(await valueOf(mallory, '#code'), '', 'a code that has served is not kept')
  })

  await t.test('a text that did not go is still there, with what was chosen, until it has gone', async (t) => {
    const [alice, bob] = await Promise.all([open(origin), open(origin)])
    for (const summary of await alice.page.$$('summary')) await summary.click()
    await alice.page.type('#text', 'A long text.')
    await alice.page.select('.fields select', 'hour')
    await alice.page.setOfflineMode(true)
    await press(alice, 'Send this text')
    await reads(alice, 'The server cannot be reached')
    await alice.page.setOfflineMode(false)
    await press(alice, 'Start again')
    await reads(alice, 'Ends at the latest')
    t.same([await valueOf(alice, '#text'), await valueOf(alice, '.fields select')], ['A long text.', 'hour'])
    t.equal(await alice.page.evaluate(() => JSON.stringify([localStorage.length, sessionStorage.length, history.state, location.hash])), '[0,0,null,""]', 'in memory alone')
    await press(alice, 'Send this text')
    await enterCode(bob, await shownCode(alice.page))
    await press(bob, 'Show text')
    await reads(bob, 'A long text.')
    await reads(alice, 'Received and verified')
    await press(alice, 'Start again')
    await reads(alice, 'Ends at the latest')
    t.same([await valueOf(alice, '#text'), await valueOf(alice, '.fields select')], ['', 'hour'], 'a text that has gone is not kept')
  })

  await t.test('a file that is too large, by a name without a gap', async (t) => {
    const { origin } = await startServer(t, { MAX_FILE_SIZE: '1MiB' })
    const name = `${'holiday_photographs_'.repeat(8)}.bin`
    await writeFile(join(folder, name), content)
    const alice = await open(origin)
    const picker = await alice.page.$<'input'>('input[data-pick="files"]' as 'input')
    await picker?.uploadFile(join(folder, name))
    await reads(alice, `\u2068${name}\u2069 is larger than this server accepts`)
    t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []])
  })

  await t.test('who sends is told that not everything was sent, and by which row', async (t) => {
    const [alice, bob] = await Promise.all([open(origin), open(origin)])
    const gone = join(folder, 'gone.bin')
    await writeFile(gone, content)
    await makeUnreadable(alice, 'gone')
    const code = await send(alice, path, gone)
    await reads(alice, 'Failed')
    t.equal(await alice.page.$eval('.rows .name', ({ textContent }) => textContent), 'gone.bin', 'it stands first')
    await enterCode(bob, code)
    await press(bob, 'Save')
    await reads(alice, 'Not everything was sent')
    await reads(alice, '1 of 2 files could not be')
    t.notMatch(await textOf(alice.page), 'The other side has everything')
  })

  await t.test('who sends is told that the others cannot know that it was all', async (t) => {
    const [alice, bob] = await Promise.all([open(origin), open(origin)])
    // What is large goes another way: this is the note behind it.
    await alice.page.evaluate(() => {
      const fetchTruly = window.fetch.bind(window)
      window.fetch = async (url, init) => typeof url === 'string' && url.endsWith('/upload')
        ? new Response('{"code":"CONTAINER_REFUSED"}', { status: 422, headers: { 'content-type': 'application/json' } })
        : await fetchTruly(url, init)
    })
    const code = await send(alice, path)
    await reads(alice, 'cannot know that it was all')
    t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []], 'sharing')
    await enterCode(bob, code)
    await reads(bob, 'The sender may still be adding more.')
    await press(bob, 'Save')
    await reads(alice, 'Not everything was sent')
    await reads(alice, 'The other side has all files')
    t.notMatch(await textOf(alice.page), 'Received and verified')
    t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []], 'the end')
  })

  await t.test('every file failed: there is nothing that could be shared', async (t) => {
    const alice = await open(origin)
    const gone = [join(folder, 'gone.bin'), join(folder, 'gone too.bin')]
    for (const path of gone) await writeFile(path, content)
    await makeUnreadable(alice, 'gone')
    await (await alice.page.$<'input'>('input[data-pick="files"]' as 'input'))?.uploadFile(...gone)
    await reads(alice, 'That did not work')
    await reads(alice, 'The file cannot be read any more.')
    t.notMatch(await textOf(alice.page), 'uploaded')
    t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []])
    await press(alice, 'Start again')
    await reads(alice, 'Drop files or folders here')
  })

  await t.test('more people than the server admits', async (t) => {
    const { origin } = await startServer(t, { MAX_JOINERS: '3' })
    const alice = await open(origin)
    await (await alice.page.$$('summary'))[1]?.click()
    await alice.page.$eval('input[type="number"]', (input) => { input.select() })
    await alice.page.type('input[type="number"]', '8')
    await (await alice.page.$<'input'>('input[data-pick="files"]' as 'input'))?.uploadFile(path)
    await reads(alice, 'This server does not admit that many people to a session.')
    t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []])
  })

  await t.test('the folder of a tab that has gone stays for a day: the browser may still copy from it', async (t) => {
    const { page } = await open(origin)
    await page.evaluate(async () => {
      const root = await navigator.storage.getDirectory()
      for (const name of ['received', 'empty']) await root.getDirectoryHandle(`tab-${name}`, { create: true })
      const stream = await (await (await root.getDirectoryHandle('tab-received')).getFileHandle('a', { create: true })).createWritable()
      await stream.write('content')
      await stream.close()
    })
    const left = async (): Promise<string[]> => await page.evaluate(async () => {
      const names: string[] = []
      for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name)
      return names.filter((name) => name === 'tab-received' || name === 'tab-empty')
    })
    await page.reload()
    await eventually(async () => (await left()).length === 1)
    t.same(await left(), ['tab-received'])
    // Two days on.
    await page.evaluateOnNewDocument(() => {
      const now = Date.now.bind(Date)
      Date.now = () => now() + 2 * 86_400_000
    })
    await page.reload()
    await eventually(async () => (await left()).length === 0)
  })

  await t.test('what was received stays while its tab is open, and until the browser has copied it, and then goes', async (t) => {
    const alice = await open(origin)
    const bob = await open(`${origin}/#${await send(alice, path)}`)
    await press(bob, 'Save')
    await reads(bob, 'Everything is here')
    // Two days on.
    const later = await bob.page.browserContext().newPage()
    await later.evaluateOnNewDocument(() => {
      const now = Date.now.bind(Date)
      Date.now = () => now() + 2 * 86_400_000
    })
    await later.goto(origin)
    const sizes = async (): Promise<readonly number[]> => await later.evaluate(async () => {
      const sizes: number[] = []
      for await (const folder of (await navigator.storage.getDirectory()).values()) {
        for await (const file of (folder as FileSystemDirectoryHandle).values()) sizes.push((await (file as FileSystemFileHandle).getFile()).size)
      }
      return sizes
    })
    for (let sweeps = 0; sweeps < 2; sweeps++) {
      await later.evaluate(async () => { await (await navigator.storage.getDirectory()).getDirectoryHandle('tab-empty', { create: true }) })
      await later.reload()
      await later.waitForFunction(async () => {
        for await (const name of (await navigator.storage.getDirectory()).keys()) if (name === 'tab-empty') return false
        return true
      })
    }
    t.same(await sizes(), [content.length], 'its tab is open')
    const asked: string[] = []
    bob.page.on('dialog', (dialog) => {
      asked.push(dialog.type())
      void dialog.accept()
    })
    // Only whoever has touched a page is asked.
    await bob.page.bringToFront()
    await bob.page.click('h1')
    const closed = new Promise((resolve) => { bob.page.once('close', resolve) })
    await bob.page.close({ runBeforeUnload: true })
    await closed
    t.same(asked, [], 'what is over is not asked about')
    t.equal(sha256(await readFile(await downloaded(bob.downloads, 'a.bin'))), sha256(content), 'and nothing is lost by it')
    await eventually(async () => {
      await later.reload()
      return (await sizes()).length === 0
    })
  })

  await t.test('a connection that breaks while it sends is made anew', async (t) => {
    const proxy = await startProxy(t, origin)
    const alice = await open(proxy.origin)
    const caught = proxy.hold(3 * 2 ** 20)
    const code = await send(alice, path)
    const held = await caught
    held.cut()
    const bob = await open(`${origin}/#${code}`)
    await reads(bob, 'This is all of it.')
    await press(bob, 'Save')
    await reads(alice, 'Received and verified')
    t.equal(sha256(await readFile(await downloaded(bob.downloads, 'a.bin'))), sha256(content))
  })
})

/** Has files whose names begin so fail as those do that are no longer there. */
async function makeUnreadable ({ page }: Person, beginning: string): Promise<void> {
  await page.evaluate((beginning) => {
    const slice = Reflect.get<Blob, 'slice'>(Blob.prototype, 'slice')
    Blob.prototype.slice = function (this: Blob, ...range) {
      if (this instanceof File && this.name.startsWith(beginning)) throw new DOMException('', 'NotFoundError')
      return slice.apply(this, range)
    }
  }, beginning)
}
