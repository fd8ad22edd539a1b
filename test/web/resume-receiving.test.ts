/** Receiving, where its tab goes away in the middle: a later tab goes on there. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import t from 'tap'
import { randomContent, sha256 } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startProxy } from '../helpers/proxy.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs } from '../helpers/services.js'
import { layoutFaults } from './access.js'
import { kill, loseServer, reload } from './interrupted.js'
import { kept } from './kept.js'
import { choose, enterCode, personAt, press, reads, send, startPeople, textOf, violations, type Person } from './page.js'

/** Bytes of a segment: what is kept at once. */
const SEGMENT = 2 ** 26
const CHUNK = 2 ** 19

interface Midway {
  readonly alice: Person
  readonly bob: Person
  /** As somebody may type it. */
  readonly code: string
  /** Lets the upload go on. */
  readonly goOn: () => void
}

t.test('receiving goes on in a later tab', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t, { MAX_FILE_SIZE: String(2 ** 30) })
  const { open } = await startPeople(t)
  const folder = await temporaryFolder(t)
  const content = randomContent(SEGMENT + 2 ** 24)
  const path = join(folder, 'a.bin')
  await writeFile(path, content)

  /** Alice's upload stands still behind the first segment, which Bob has. */
  async function midway (atBobs = origin): Promise<Midway> {
    const proxy = await startProxy(t, origin)
    const alice = await open(proxy.origin)
    const caught = proxy.hold(SEGMENT + 2 ** 23)
    const code = await send(alice, path)
    const bob = await open(atBobs)
    await enterCode(bob, code)
    await reads(bob, 'On offer')
    const { bytes: before } = await kept(bob)
    await press(bob, 'Save')
    const held = await caught
    await eventually(async () => (await kept(bob)).bytes > before, 100)
    return { alice, bob, code: code.replaceAll('-', ' '), goOn: () => { held.cut() } }
  }

  /** Another tab of the same browser, at the beginning. */
  const another = async ({ page, downloads }: Person): Promise<Person> => await personAt(await page.browserContext().newPage(), origin, downloads)

  /** Saves it at this page, whole. @returns where the downloads of it began */
  async function saves ({ alice, goOn }: Midway, at: Person): Promise<readonly number[]> {
    const asked = downloadsOf(at.page)
    await press(at, 'Save')
    await eventually(() => asked.length > 0)
    goOn()
    await reads(at, 'Everything is here')
    await reads(alice, 'Received and verified')
    t.equal(sha256(await readFile(await downloaded(at.downloads, 'a.bin'))), sha256(content))
    return asked
  }

  const isRest = (asked: readonly number[]): boolean => asked.every((from) => from > SEGMENT - 2 * CHUNK)

  await t.test('a tab that was killed', async (t) => {
    const half = await midway()
    await kill(half.bob.page)
    const later = await another(half.bob)
    await reads(later, 'A transfer was interrupted in this browser.')
    t.same([await violations(later.page), await layoutFaults(later.page)], [[], []], 'the note')
    await enterCode(later, half.code)
    const asked = await saves(half, later)
    t.ok(isRest(asked), `what was there did not come again: ${asked.join(', ')}`)
    t.equal((await kept(later)).records, 0, 'nothing is kept of what is over')
    await later.page.reload()
    await reads(later, 'Drop files or folders here')
    t.notMatch(await textOf(later.page), 'was interrupted')
  })

  await t.test('one that was loaded again: the sender is not told that it has left', async (t) => {
    const half = await midway()
    const { alice, bob, code } = half
    t.equal(await bob.page.evaluate(() => history.state as unknown), null, 'it will not say that this has ended anything')
    t.same(await reload(bob), ['beforeunload'])
    await reads(bob, 'A transfer was interrupted in this browser.')
    t.match(await textOf(alice.page), 'The other side has joined.')
    await enterCode(bob, code)
    const asked = await saves(half, bob)
    t.ok(isRest(asked), `what was there did not come again: ${asked.join(', ')}`)
  })

  await t.test('what a power cut has taken comes again', async (t) => {
    const half = await midway()
    await kill(half.bob.page)
    const later = await another(half.bob)
    t.equal(await later.page.evaluate(overwrite, SEGMENT), 1, 'a segment has its size, and not its content')
    await enterCode(later, half.code)
    t.same(await saves(half, later), [0])
    t.equal(await later.page.evaluate(overwrite, SEGMENT), 1, 'in the place of the damaged one')
  })

  await t.test('what is here is seen to be checked, and who leaves meanwhile does not wait for the end of it', async (t) => {
    const { bob, code } = await midway()
    await kill(bob.page)
    const later = await another(bob)
    await enterCode(later, code)
    await reads(later, 'On offer')
    const checked = await later.page.evaluateHandle(slowDigests)
    await press(later, 'Save')
    await reads(later, 'Checking what is here')
    await later.page.waitForFunction(() => (document.querySelector<HTMLProgressElement>('.row progress')?.value ?? 0) > 0)
    t.same([await violations(later.page), await layoutFaults(later.page)], [[], []])
    await press(later, 'Leave')
    await reads(later, 'You have left')
    t.ok(await checked.evaluate(({ count }) => count) < SEGMENT / CHUNK)
    await eventually(async () => (await kept(later)).records === 0)
    t.equal(await later.page.evaluate(overwrite, SEGMENT), 0)
  })

  await t.test('the tabs of both', async (t) => {
    const { alice, bob, code, goOn } = await midway()
    const address = alice.page.url()
    for (const { page } of [alice, bob]) await kill(page)
    goOn()
    const [sender, receiver] = [await personAt(await alice.page.browserContext().newPage(), address, alice.downloads), await another(bob)]
    await enterCode(sender, code)
    await reads(sender, '1 file missing:')
    await choose(sender, path)
    await reads(sender, 'The other side has joined.')
    await enterCode(receiver, code)
    await press(receiver, 'Save')
    await reads(receiver, 'Everything is here')
    await reads(sender, 'Received and verified')
    t.equal(sha256(await readFile(await downloaded(bob.downloads, 'a.bin'))), sha256(content))
  })

  await t.test('a download that was given up goes on in the same tab', async (t) => {
    const network = await startProxy(t, origin)
    const half = await midway(network.origin)
    const { bob } = half
    await bob.page.evaluate(() => {
      const fetchTruly = window.fetch.bind(window)
      window.fetch = async (url, init) => {
        if (typeof url !== 'string' || !url.includes('/download/')) return await fetchTruly(url, init)
        window.fetch = fetchTruly
        return new Response('{"code":"CREATOR_ONLY"}', { status: 403, headers: { 'content-type': 'application/json' } })
      }
    })
    network.breakDown()()
    await reads(bob, 'It failed (CREATOR_ONLY)')
    const asked = await saves(half, bob)
    t.ok(isRest(asked), `what was there did not come again: ${asked.join(', ')}`)
  })

  await t.test('in the same tab, when the server was away for too long', async (t) => {
    const network = await startProxy(t, origin)
    const half = await midway(network.origin)
    await loseServer(half.bob, network.breakDown)
    const asked = await saves(half, half.bob)
    t.ok(isRest(asked), `what was there did not come again: ${asked.join(', ')}`)
  })

  await t.test('another word opens nothing; what is forgotten is gone', async (t) => {
    const { bob, code } = await midway()
    await kill(bob.page)
    const later = await another(bob)
    await enterCode(later, code.replace(/\w+$/, (word) => word === 'zoo' ? 'zone' : 'zoo'))
    await reads(later, 'This is not the code of the interrupted transfer')
    t.same([await violations(later.page), await layoutFaults(later.page)], [[], []])
    await press(later, 'Start again')
    await reads(later, 'A transfer was interrupted in this browser.')
    await press(later, 'Forget it')
    await later.page.waitForFunction(() => !document.body.innerText.includes('was interrupted'))
    t.same((await kept(later)).records, 0)
    t.equal(await later.page.evaluate(overwrite, SEGMENT), 0, 'nor is there what had been decrypted')
  })

  await t.test('who cancels before it goes on has all of it kept', async (t) => {
    const half = await midway()
    await kill(half.bob.page)
    const later = await another(half.bob)
    await later.page.evaluate(() => {
      const { subtle } = crypto
      const derive = subtle.deriveBits.bind(subtle)
      subtle.deriveBits = async (...parameters) => {
        subtle.deriveBits = derive
        await new Promise((resolve) => { document.addEventListener('click', resolve, { once: true }) })
        return await derive(...parameters)
      }
    })
    await later.page.type('#code', half.code)
    await later.page.keyboard.press('Enter')
    await press(later, 'Cancel')
    await press(later, 'Start again')
    // It is still in its field.
    await press(later, 'Connect')
    const asked = await saves(half, later)
    t.ok(isRest(asked), `what was there did not come again: ${asked.join(', ')}`)
  })

  await t.test('a passphrase that is none is told as such', async (t) => {
    const { bob, code } = await midway()
    await kill(bob.page)
    const later = await another(bob)
    await enterCode(later, code.split(' ').slice(0, 2).join('-'))
    await later.page.waitForSelector('#passphrase')
    await later.page.type('#passphrase', 'short')
    await press(later, 'Connect')
    await reads(later, 'A passphrase has at least 8 characters')
    t.same(later.complaints, [])
  })

  await t.test('a session that has ended meanwhile', async (t) => {
    const { alice, bob, code } = await midway()
    await kill(bob.page)
    await press(alice, 'Stop sharing')
    await reads(alice, 'Stopped')
    const later = await another(bob)
    await enterCode(later, code)
    await reads(later, 'The sender has ended the session')
    await press(later, 'Start again')
    await later.page.waitForSelector('#code')
    t.notMatch(await textOf(later.page), 'was interrupted')
  })

  await t.test('who leaves keeps nothing of half a file', async (t) => {
    const { bob } = await midway()
    t.not((await kept(bob)).files.length, 0)
    await press(bob, 'Leave')
    await reads(bob, 'You have left')
    await eventually(async () => (await kept(bob)).records === 0)
    t.same(await kept(bob), { records: 0, bytes: 0, files: [] })
  })
})

/** Where the downloads begin that a page asks for, from now on: offsets of the container. */
function downloadsOf (page: Page): number[] {
  const offsets: number[] = []
  page.on('request', (request) => {
    if (request.method() === 'GET' && request.url().includes('/download/')) offsets.push(Number(/^bytes=(\d+)-/.exec(request.headers()['range'] ?? '')?.[1] ?? 0))
  })
  return offsets
}

/** Has each digest take a while. To be run in a page. @returns a count of those that have been taken */
function slowDigests (): { count: number } {
  const taken = { count: 0 }
  const { subtle } = crypto
  const digest = subtle.digest.bind(subtle)
  subtle.digest = async (...parameters) => {
    taken.count += 1
    await new Promise((resolve) => { setTimeout(resolve, 100) })
    return await digest(...parameters)
  }
  return taken
}

/** Overwrites with zeros what has this size. To be run in a page. @returns how many files did */
async function overwrite (size: number): Promise<number> {
  let overwritten = 0
  for await (const folder of (await navigator.storage.getDirectory()).values()) {
    for await (const file of (folder as FileSystemDirectoryHandle).values()) {
      if ((await (file as FileSystemFileHandle).getFile()).size !== size) continue
      const stream = await (file as FileSystemFileHandle).createWritable()
      await stream.write(new Uint8Array(size))
      await stream.close()
      overwritten += 1
    }
  }
  return overwritten
}
