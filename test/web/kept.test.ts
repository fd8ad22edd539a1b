/** What the page keeps of what it sends: what is damaged of it, where there is no room for it, and whose it is. */

import { readFile } from 'node:fs/promises'
import t from 'tap'
import { sha256 } from '../helpers/client.js'
import { downloaded, needs } from '../helpers/services.js'
import { chooseAgain, damage, idsOf, inAnotherTab, receives, sendHalf, startScene } from './interrupted.js'
import { kept } from './kept.js'
import { enterCode, press, reads, send } from './page.js'

t.test('what is kept, in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const scene = await startScene(t)
  const { origin, open, content, path } = scene

  await t.test('a tab that takes its time to go is waited for', async (t) => {
    const first = await sendHalf(t, scene)
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

  for (const store of ['lines', 'notes'] as const) {
    await t.test(`what is damaged of the ${store} was never written, and nothing is taken up that rests on it`, async (t) => {
      const alice = await inAnotherTab(await sendHalf(t, scene))
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
    const alice = await inAnotherTab(await sendHalf(t, scene))
    t.ok((await kept(alice)).records > 2)
    await press(alice, 'Forget it')
    await alice.page.waitForFunction(() => !document.body.innerText.includes('A transfer was interrupted'))
    t.equal((await kept(alice)).records, 0)
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
    t.equal((await kept(alice)).records, 0)
    await receives(t, await open(`${origin}/#${code}`), 'a.bin', content)
    await reads(alice, 'Received and verified')
  })
})
