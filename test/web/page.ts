/** The page as a person uses it: what is on it is found by what stands on it, files go in by its picker and come out as downloads. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import axe from 'axe-core'
import type { Browser, Page } from 'puppeteer-core'
import type { Test } from 'tap'
import { temporaryFolder } from '../helpers/server.js'
import { startBrowser } from '../helpers/services.js'

/** Milliseconds within which what a person waits for has to be there, on a busy machine. */
const PATIENCE = 60_000

/** Somebody in front of a page of their own: with no cookie, storage or cache in common with anybody. */
export interface Person {
  readonly page: Page
  /** Where the browser puts downloads. */
  readonly downloads: string
  /** Errors on the console, exceptions, and violations of the policy. */
  readonly complaints: string[]
}

export interface People {
  readonly browser: Browser
  readonly open: (address: string) => Promise<Person>
}

/** Chromium, and people who use it. */
export async function startPeople (t: Test, ...args: string[]): Promise<People> {
  const browser = await startBrowser(t, ...args)
  return {
    browser,
    async open (address) {
      const downloads = await temporaryFolder(t)
      const context = await browser.createBrowserContext({ downloadBehavior: { policy: 'allow', downloadPath: downloads } })
      return await personAt(await context.newPage(), address, downloads)
    }
  }
}

/** Opens the address in a page. */
export async function personAt (page: Page, address: string, downloads: string): Promise<Person> {
  const complaints: string[] = []
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()) })
  page.on('pageerror', (error) => { complaints.push(String(error)) })
  page.setDefaultTimeout(PATIENCE)
  await page.goto(address)
  return { page, downloads, complaints }
}

/** Chooses files. */
export async function choose ({ page }: Person, ...paths: readonly string[]): Promise<void> {
  const picker = await page.waitForSelector<'input'>('input[data-pick="files"]' as 'input')
  await picker?.uploadFile(...paths)
}

/** Drops files and folders on the page. */
export async function drop ({ page }: Pick<Person, 'page'>, ...files: string[]): Promise<void> {
  const devtools = await page.createCDPSession()
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) await devtools.send('Input.dispatchDragEvent', { type, x: 200, y: 200, data: { items: [], files, dragOperationsMask: 1 } })
  await devtools.detach()
}

/** Sends files, as if they had been chosen. @returns the code that the page shows */
export async function send (person: Person, ...paths: readonly string[]): Promise<string> {
  await choose(person, ...paths)
  return await shownCode(person.page)
}

/** The code that the page shows. */
export async function shownCode (page: Page): Promise<string> {
  await page.waitForSelector('[data-code]')
  return await page.$eval('[data-code]', (element) => element.getAttribute('data-code') ?? '')
}

/** Types a code and connects. */
export async function enterCode ({ page }: Person, code: string): Promise<void> {
  await page.type('#code', code)
  await page.click('.code-form button')
}

/** Presses the button of this name, as soon as there is one. */
export async function press ({ page }: Pick<Person, 'page'>, name: string): Promise<void> {
  const button = await page.waitForSelector(`::-p-aria([name="${name}"][role="button"])`)
  await button?.click()
}

/** Waits for a text of the page. */
export async function reads ({ page }: Pick<Person, 'page'>, text: string): Promise<void> {
  try {
    await page.waitForFunction((wanted: string) => document.body.innerText.includes(wanted), {}, text)
  } catch (cause) {
    throw new Error(`The page does not say "${text}" but: ${await textOf(page)}`, { cause })
  }
}

/** All that the page says. */
export const textOf = (page: Page): Promise<string> => page.evaluate(() => document.body.innerText)

/** What a field shows. */
export const valueOf = ({ page }: Pick<Person, 'page'>, selector: string): Promise<string> => page.$eval(selector, (field) => (field as HTMLInputElement | HTMLSelectElement).value)

/** What axe finds wrong with the page as it is now (WCAG 2.2 A and AA, and good practice). */
export async function violations (page: Page): Promise<readonly string[]> {
  // Straight into the page: its policy lets no script in.
  await page.evaluate(`if (!('axe' in window)) { ${axe.source} }`)
  const found = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })") as { readonly violations: ReadonlyArray<{ readonly id: string, readonly nodes: ReadonlyArray<{ readonly html: string, readonly failureSummary: string }> }> }
  return found.violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`))
}

/** Content of a download. */
export const contentOf = ({ downloads }: Person, name: string): Promise<Buffer> => readFile(join(downloads, name))
