/**
 * Firefox with an empty profile, driven by lines of JSON on the standard input, each answered by one: a process of its own, since
 * the loader that tests run under does not find what puppeteer drives Firefox with.
 *
 *     {"do":"open","address":"http://…"}   → its number      {"do":"send","who":0,"paths":["…"]}   → the code
 *     {"do":"reads","who":0,"text":"…"}    → null            {"do":"press","who":0,"name":"…"}     → null
 *     {"do":"address","who":0}             → where it is     {"do":"complaints","who":0}           → what it complains of
 *     {"do":"again","who":0}               → the number of another tab in its place
 *     {"do":"kept","who":0}                → what the browser keeps for interrupted transfers
 *     {"do":"enter","who":0,"code":"…"}    → null            {"do":"choose","who":0,"paths":["…"]} → null
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { launch } from 'puppeteer-core'
import { FIREFOX } from '../helpers/services.js'
import { kept } from './kept.js'
import { choose, enterCode, personAt, press, reads, send, type Person } from './page.js'

/** What can be asked for. */
export type Command =
  | { readonly do: 'open', readonly address: string }
  | { readonly do: 'send', readonly who: number, readonly paths: readonly string[] }
  | { readonly do: 'reads', readonly who: number, readonly text: string }
  | { readonly do: 'press', readonly who: number, readonly name: string }
  | { readonly do: 'address' | 'again' | 'complaints' | 'kept', readonly who: number }
  | { readonly do: 'enter', readonly who: number, readonly code: string }
  | { readonly do: 'choose', readonly who: number, readonly paths: readonly string[] }

const { DOWNLOADS = '' } = process.env
const userDataDir = await mkdtemp(join(tmpdir(), 'local-send-firefox-'))
const browser = await launch({
  browser: 'firefox',
  executablePath: FIREFOX,
  userDataDir,
  headless: true,
  extraPrefsFirefox: { 'browser.download.dir': DOWNLOADS, 'browser.download.folderList': 2, 'browser.download.useDownloadDir': true }
})
const people: Person[] = []

async function carryOut (command: Command): Promise<unknown> {
  if (command.do === 'open') return people.push(await personAt(await browser.newPage(), command.address, DOWNLOADS)) - 1
  const person = people[command.who]
  if (person === undefined) throw new RangeError(`There is nobody of the number ${command.who}.`)
  switch (command.do) {
    case 'send': return await send(person, ...command.paths)
    case 'reads':
      await reads(person, command.text)
      return null
    case 'press':
      await press(person, command.name)
      return null
    case 'address': return await person.page.evaluate(() => location.href)
    case 'again': {
      const address = person.page.url()
      await person.page.close()
      return people.push(await personAt(await browser.newPage(), address, DOWNLOADS)) - 1
    }
    case 'enter':
      await enterCode(person, command.code)
      return null
    case 'choose':
      await choose(person, ...command.paths)
      return null
    case 'kept': return await kept(person)
    case 'complaints': return person.complaints
  }
}

try {
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = await carryOut(JSON.parse(line) as Command).then((value) => ({ value }), (error: unknown) => ({ error: String(error) }))
    process.stdout.write(`${JSON.stringify(answer)}\n`)
  }
} finally {
  await browser.close()
  await rm(userDataDir, { recursive: true, force: true, maxRetries: 5 })
}
