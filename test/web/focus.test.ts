/** Where the keyboard is, and what is said to those who listen, when what they pressed is gone or was pressed again. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Page } from 'puppeteer-core'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { needs } from '../helpers/services.js'
import { enterCode, reads, send, startPeople, violations, type Person } from './page.js'

/** Presses a button by the keyboard. */
async function pressKey ({ page }: Person, name: string): Promise<void> {
  await page.bringToFront()
  const button = await page.waitForSelector(`::-p-aria([name="${name}"][role="button"])`)
  await button?.focus()
  await page.keyboard.press('Enter')
  await page.waitForFunction((element) => element?.isConnected === false, {}, button)
}

/** What has the focus: its element, and what it is called. */
const focus = async (page: Page): Promise<string> => await page.evaluate(() => {
  const { activeElement } = document
  return `${activeElement?.tagName ?? ''} ${activeElement?.getAttribute('aria-label') ?? activeElement?.textContent ?? ''}`.slice(0, 60)
})

t.test('who uses the keyboard, or listens', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t)
  const { open } = await startPeople(t)
  const folder = await temporaryFolder(t)
  const paths = ['a.txt', 'b.txt', 'c.txt', 'd.txt'].map((name) => join(folder, name))
  for (const path of paths) await writeFile(path, 'Something.')

  await t.test('a button that goes away leaves the focus to what comes next', async (t) => {
    const alice = await open(origin)
    const bob = await open(`${origin}/#${await send(alice, ...paths)}`)
    await reads(bob, 'This is all of it.')
    await pressKey(bob, 'Save: a.txt')
    t.equal(await focus(bob.page), 'BUTTON Save: b.txt', 'the same button of the next row')
    await pressKey(bob, 'Save: d.txt')
    t.equal(await focus(bob.page), 'H1 On offer', 'there is no row behind it')
    await pressKey(bob, 'Save all as one zip')
    await reads(bob, 'Everything is here')
    await bob.page.waitForFunction(() => document.activeElement?.textContent === 'Everything is here')
    await pressKey(bob, 'Start again')
    t.equal(await focus(bob.page), 'H1 Local Send', 'the heading of the first view')
  })

  await t.test('who types as soon as a view is there is left alone', async (t) => {
    const [path = ''] = paths
    const alice = await open(origin)
    const code = await send(alice, path)
    const bob = await open(origin)
    const focused = bob.page.evaluate(() => new Promise<string | undefined>((resolve) => {
      new MutationObserver((_, observer) => {
        const field = document.querySelector<HTMLInputElement>('#passphrase')
        if (field === null) return
        observer.disconnect()
        field.focus()
        // What is done after a view has been drawn is done by then.
        requestAnimationFrame(() => { setTimeout(() => { resolve(document.activeElement?.id) }, 200) })
      }).observe(document.body, { childList: true, subtree: true })
    }))
    await enterCode(bob, code.split('-').slice(0, 2).join('-'))
    t.equal(await focused, 'passphrase')
  })

  await t.test('the only file', async (t) => {
    const alice = await open(origin)
    const [path = ''] = paths
    const bob = await open(`${origin}/#${await send(alice, path)}`)
    await reads(bob, 'This is all of it.')
    // What is asked for waits, so that it is this view that is looked at.
    await bob.page.evaluate(() => { FileSystemDirectoryHandle.prototype.getFileHandle = () => new Promise(() => undefined) })
    await pressKey(bob, 'Save')
    t.equal(await focus(bob.page), 'H1 On offer')
    const leave = await bob.page.waitForSelector('::-p-aria([name="Leave"][role="button"])')
    await leave?.focus()
    await bob.page.mouse.click(1, 1)
    await leave?.evaluate((button) => { button.remove() })
    t.match(await focus(bob.page), /^BODY/, 'who has clicked beside everything wants it nowhere')
  })

  await t.test('a code that is none is told each time, and of which field', async (t) => {
    const { page, ...person } = await open(origin)
    await enterCode({ page, ...person }, 'no code')
    const told = await page.waitForSelector('[role="alert"]')
    t.same(await page.$eval('#code', (field) => [
      field.getAttribute('aria-invalid'),
      (field.getAttribute('aria-describedby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent.slice(0, 18))
    ]), ['true', ['Any case, spaces o', 'This is not a code']])
    t.same(await violations(page), [])
    await page.keyboard.press('Enter')
    await page.waitForFunction((element) => element?.isConnected === false, {}, told)
    t.equal(await page.$eval('[role="alert"]', ({ textContent }) => textContent.slice(0, 18)), 'This is not a code', 'what is put in anew is read out anew')
  })
})
