/**
 * `npm run tour`: has Chromium take pictures of every state of the page, in a narrow window and a wide one, light and dark, into
 * docs/tour. They are there to be looked at; docs/tour.md shows them.
 */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launch, type Browser, type Page } from 'puppeteer-core'
import { buildApp } from '../app.js'
import { readConfig } from '../lib/config.js'

const TARGET = join(import.meta.dirname, '..', 'docs', 'tour')
const WIDTHS = [360, 1280] as const
const SCHEMES = ['light', 'dark'] as const
/** Quality of the pictures, of 100. */
const QUALITY = 60

const folder = await mkdtemp(join(tmpdir(), 'local-send-tour-'))
const app = await buildApp(readConfig({ UPLOAD_FOLDER: join(folder, 'uploads'), SESSION_STORE: 'memory' }))
const origin = await app.listen({ host: '127.0.0.1', port: 0 })
const browser = await launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', headless: true, args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP send.example.org 127.0.0.1'] })
try {
  await mkdir(TARGET, { recursive: true })
  await mkdir(join(folder, 'downloads'))
  await writeFile(join(folder, 'Holiday in Lisbon.mp4'), new Uint8Array(48_300_000))
  await writeFile(join(folder, 'Rental agreement.pdf'), new Uint8Array(412_000))
  await walk(browser)
} finally {
  await browser.close()
  await app.close()
  await rm(folder, { recursive: true, force: true })
}

/** From home to both ends of a transfer, with a look at each state on the way. */
async function walk (browser: Browser): Promise<void> {
  const alice = await open(browser)
  await alice.goto(origin)
  await picture(alice, 'home')
  await alice.select('.language select', 'ar')
  await picture(alice, 'home-arabic')
  await alice.select('.language select', 'en')
  const picker = await alice.waitForSelector<'input'>('input[data-pick="files"]' as 'input')
  await picker?.uploadFile(join(folder, 'Holiday in Lisbon.mp4'), join(folder, 'Rental agreement.pdf'))
  await alice.waitForSelector('[data-code]')
  const code = String(await alice.evaluate('document.querySelector("[data-code]").dataset.code'))
  await picture(alice, 'sharing')

  const mallory = await open(browser)
  await mallory.goto(`${origin}/#${code.split('-').slice(0, 2).join('-')}-zoo-zoo-zoo`)
  await says(mallory, 'The passphrase is wrong')
  await picture(mallory, 'wrong-passphrase')

  const bob = await open(browser)
  await bob.goto(`${origin}/#${code}`)
  await says(bob, 'Rental agreement')
  await says(alice, 'The other side has joined.')
  await picture(alice, 'joined')
  await picture(bob, 'on-offer')
  await bob.click('button.primary')
  await says(bob, 'Everything is here')
  await picture(bob, 'received')
  await says(alice, 'Received and verified')
  await picture(alice, 'sent')
  await waiting(browser)
  await stopped(browser)
  await managed(browser)

  const plain = await open(browser)
  await plain.goto(origin.replace('127.0.0.1', 'send.example.org'))
  await picture(plain, 'insecure')
}

/** Somebody whom nobody answers: asked for the passphrase, joining, left. */
async function waiting (browser: Browser): Promise<void> {
  const created = await app.inject({ method: 'POST', url: '/api/session/create', payload: { kind: 'end-to-end' } })
  const { session_id: id, verification_code: digits } = created.json<Readonly<Record<string, string>>>()
  const page = await open(browser)
  await page.goto(`${origin}/#${id ?? ''}-${digits ?? ''}`)
  const field = await page.waitForSelector('#passphrase')
  await picture(page, 'passphrase')
  await field?.type('Nobody is there to ask\n')
  await says(page, 'Waiting for the other side')
  await picture(page, 'joining')
  await page.click('.joining button')
  await says(page, 'You have left')
  await picture(page, 'left')
}

/** A sender who stops while somebody has joined, and another one whose page is loaded again. */
async function stopped (browser: Browser): Promise<void> {
  const alice = await open(browser)
  await alice.goto(origin)
  const bob = await open(browser)
  await bob.goto(`${origin}/#${await share(alice)}`)
  await says(bob, 'Rental agreement')
  await alice.click('button.danger')
  await says(alice, 'Stopped')
  await picture(alice, 'stopped')
  await says(bob, 'The sender has ended the session')
  await picture(bob, 'ended')
  await alice.click('button.primary')
  await interrupted(alice)
}

/** A tab that is loaded again while it sends. */
async function interrupted (alice: Page): Promise<void> {
  // What is large goes by PATCH: it does not come to its end.
  await alice.evaluate(`
    const fetchTruly = fetch
    fetch = (url, init) => init?.method === 'PATCH' ? new Promise(() => { document.title = 'held' }) : fetchTruly(url, init)
  `)
  const code = await share(alice, 'Holiday in Lisbon.mp4')
  await alice.waitForFunction('document.title === "held"')
  alice.once('dialog', (dialog) => { void dialog.accept() })
  await alice.reload()
  await says(alice, 'A transfer was interrupted in this browser.')
  await picture(alice, 'interrupted')
  await alice.type('#code', code)
  await alice.click('.code-form button')
  await says(alice, 'Go on sending')
  await picture(alice, 'going-on')
}

/** A session that the server encrypts: chosen, shared, found by somebody who did not expect it, on offer. */
async function managed (browser: Browser): Promise<void> {
  const alice = await open(browser)
  await alice.goto(origin)
  await alice.waitForSelector('summary')
  for (const summary of (await alice.$$('summary')).slice(1)) await summary.click()
  await alice.click('input[type="checkbox"]')
  await picture(alice, 'managed-choice')
  const code = await share(alice)
  await says(alice, 'the server has encrypted it')
  await picture(alice, 'managed-sharing')
  const bob = await open(browser)
  await bob.goto(`${origin}/#${code}`)
  await says(bob, 'In this session the server encrypts')
  await picture(bob, 'managed-asked')
  await bob.click('.buttons button:not(.primary)')
  await says(bob, 'Rental agreement')
  await picture(bob, 'managed-on-offer')
}

/** Has a page share a file. @returns the code */
async function share (page: Page, name = 'Rental agreement.pdf'): Promise<string> {
  const picker = await page.waitForSelector<'input'>('input[data-pick="files"]' as 'input')
  await picker?.uploadFile(join(folder, name))
  await page.waitForSelector('[data-code]')
  return String(await page.evaluate('document.querySelector("[data-code]").dataset.code'))
}

async function open (browser: Browser): Promise<Page> {
  const context = await browser.createBrowserContext({ downloadBehavior: { policy: 'allow', downloadPath: join(folder, 'downloads') } })
  return await context.newPage()
}

async function says (page: Page, text: string): Promise<void> {
  await page.waitForFunction(`document.body.innerText.includes(${JSON.stringify(text)})`)
}

/** One state, in every size and scheme. */
async function picture (page: Page, name: string): Promise<void> {
  await page.bringToFront()
  for (const width of WIDTHS) {
    await page.setViewport({ width, height: width === 360 ? 740 : 820 })
    for (const scheme of SCHEMES) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }])
      await page.screenshot({ path: join(TARGET, `${name}-${width}-${scheme}.webp`), type: 'webp', quality: QUALITY, fullPage: true })
    }
  }
}
