/** Somebody who is interrupted while sending, and goes on: what the tests of that have in common. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HTTPRequest, Page } from 'puppeteer-core'
import type { Test } from 'tap'
import { randomContent, sha256 } from '../helpers/client.js'
import { startProxy } from '../helpers/proxy.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded } from '../helpers/services.js'
import { choose, personAt, press, reads, send, startPeople, type Person } from './page.js'

export const MIB = 2 ** 20
/** Bytes after which the network holds: amid a chunk, and so amid a piece, since behind one the connection would be used again. */
export const HALF = 8.25 * MIB

/** Somebody who was interrupted while sending. */
export interface Sender extends Person {
  readonly code: string
  readonly address: string
  readonly pieces: readonly Piece[]
  /** Resets the connection that was held: what comes after the interruption is not to go by it. */
  readonly cut: () => void
  /** Takes the network away. @returns what gives it back */
  readonly breakDown: () => () => void
}

/** What a page sends of a large file. */
export interface Piece {
  readonly fileId: string
  readonly offset: number
  /** The Authorization of its request. */
  readonly token: string
}

/** The pieces that a page sends from now on. */
export function recordPieces (page: Page): readonly Piece[] {
  const pieces: Piece[] = []
  page.on('request', (request: HTTPRequest) => {
    const { authorization: token = '', 'upload-offset': offset } = request.headers()
    if (request.method() === 'PATCH') pieces.push({ fileId: request.url().split('/').at(-1) ?? '', offset: Number(offset), token })
  })
  return pieces
}

export const idsOf = (pieces: readonly Piece[]): readonly string[] => [...new Set(pieces.map(({ fileId }) => fileId))]

/** Loads the page again, as somebody who has touched it, and means it. @returns what was asked */
export async function reload ({ page }: Person): Promise<readonly string[]> {
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
export async function chooseAgain (person: Person, ...paths: readonly string[]): Promise<void> {
  await reads(person, 'Go on sending')
  await choose(person, ...paths)
}

/** Has the server be away for longer than a page waits for it, and then be back. */
export async function loseServer (person: Person, breakDown: () => () => void): Promise<void> {
  await person.page.evaluate(() => {
    // Two minutes of patience, in two seconds.
    const truly = window.setTimeout.bind(window)
    window.setTimeout = ((work: () => void, milliseconds: number) => truly(work, milliseconds / 60)) as typeof window.setTimeout
  })
  const mend = breakDown()
  await reads(person, 'The server cannot be reached')
  mend()
}

/** Changes a bit of what the browser keeps first in a store. */
export const damage = async ({ page }: Person, store: string): Promise<void> => await page.evaluate(async (name: string) => await new Promise<void>((resolve, reject) => {
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

/** A file, and a server that it is sent by. */
export interface Scene {
  readonly origin: string
  readonly open: (address: string) => Promise<Person>
  readonly folder: string
  readonly content: Uint8Array
  readonly path: string
}

export async function startScene (t: Test): Promise<Scene> {
  const { origin } = await startServer(t)
  const { open } = await startPeople(t)
  const folder = await temporaryFolder(t)
  const content = randomContent(12 * MIB)
  const path = join(folder, 'a.bin')
  await writeFile(path, content)
  return { origin, open, folder, content, path }
}

/** Somebody whose tab is in the middle of sending. */
export async function sendHalf (t: Test, { origin, open, path }: Scene, { paths = [path], after = HALF, isManaged = false } = {}): Promise<Sender> {
  const { origin: address, hold, breakDown } = await startProxy(t, origin)
  const alice = await open(address)
  const pieces = recordPieces(alice.page)
  if (isManaged) {
    await (await alice.page.$$('summary'))[1]?.click()
    await alice.page.click('input[type="checkbox"]')
  }
  const held = hold(after)
  const code = await send(alice, ...paths)
  return { ...alice, address, code, pieces, breakDown, ...await held }
}

/** Ends a tab as a system does that needs its memory: it learns nothing of it. */
export async function kill (page: Page): Promise<void> {
  const crashed = new Promise((resolve) => { page.once('error', resolve) })
  const devtools = await page.createCDPSession()
  devtools.send('Page.crash').catch(() => undefined)
  await crashed
  await page.close()
}

/** Kills the tab, of which nothing is asked or told. @returns its user at another one */
export async function inAnotherTab ({ page, downloads, address, cut, ...rest }: Sender): Promise<Sender & { readonly before: readonly Piece[] }> {
  const context = page.browserContext()
  await page.close()
  cut()
  const next = await context.newPage()
  const pieces = recordPieces(next)
  return { ...rest, ...await personAt(next, address, downloads), address, cut, pieces, before: rest.pieces }
}

/** Receives what is there, and looks whether it is what was sent. */
export async function receives (t: Test, bob: Person, name: string, content: Uint8Array): Promise<void> {
  await reads(bob, 'This is all of it.')
  await press(bob, 'Save')
  await reads(bob, 'Everything is here')
  t.equal(sha256(await readFile(await downloaded(bob.downloads, name))), sha256(content), name)
}
