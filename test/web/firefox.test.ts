/** From page to page in Firefox, and between it and the command: what is saved is a file on the disk, byte for byte. */

import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import '../helpers/plain-children.js'
import { codeOf, newPlace } from '../cli/program.js'
import { randomContent, sha256 } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { projectPath } from '../helpers/project.js'
import { startProxy } from '../helpers/proxy.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs } from '../helpers/services.js'
import type { Command } from './firefox-driver.js'
import type { Kept } from './kept.js'

/** A Firefox that keeps its downloads in a folder. @returns what carries commands out, one after the other */
function startFirefox (t: Test, downloads: string): (command: Command) => Promise<unknown> {
  const driver = projectPath('test/web/firefox-driver.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', driver], { env: { PATH: process.env['PATH'], HOME: downloads, DOWNLOADS: downloads }, stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => { child.once('exit', () => { resolve() }) })
  t.teardown(async () => {
    child.stdin.end()
    await ended
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return async (command) => {
    child.stdin.write(`${JSON.stringify(command)}\n`)
    const line = await lines.next()
    if (line.done === true) throw new Error('Firefox has ended.')
    const answer = JSON.parse(line.value) as { readonly value?: unknown, readonly error?: string }
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer.value
  }
}

t.test('in Firefox', async (t) => {
  if (!await needs(t, 'firefox')) return
  const { origin } = await startServer(t, { MAX_FILE_SIZE: String(2 ** 30) })
  const downloads = await temporaryFolder(t)
  const folder = await temporaryFolder(t)
  const firefox = startFirefox(t, downloads)
  const open = async (address: string): Promise<number> => Number(await firefox({ do: 'open', address }))
  const content = randomContent(5 * 2 ** 20 + 321)
  const path = join(folder, 'from the page.bin')
  await writeFile(path, content)

  await t.test('from page to page', async (t) => {
    const alice = await open(origin)
    const code = String(await firefox({ do: 'send', who: alice, paths: [path] }))
    const bob = await open(`${origin}/#${code}`)
    await firefox({ do: 'reads', who: bob, text: 'This is all of it.' })
    t.equal(await firefox({ do: 'address', who: bob }), `${origin}/`, 'the link leaves the address bar')
    await firefox({ do: 'press', who: bob, name: 'Save' })
    await firefox({ do: 'reads', who: bob, text: 'Everything is here' })
    await firefox({ do: 'reads', who: alice, text: 'Received and verified' })
    t.equal(sha256(await readFile(await downloaded(downloads, 'from the page.bin'))), sha256(content))
    for (const who of [alice, bob]) t.same(await firefox({ do: 'complaints', who }), [])
  })

  await t.test('to the command and from it', async (t) => {
    const place = await newPlace(t, origin)
    const alice = await open(origin)
    const receiving = place.run(['receive', '--yes', String(await firefox({ do: 'send', who: alice, paths: [path] }))])
    t.equal(await receiving.exit, 0, receiving.stderr())
    await firefox({ do: 'reads', who: alice, text: 'Received and verified' })
    t.equal(sha256(await readFile(join(place.home, 'from the page.bin'))), sha256(content))
    await writeFile(join(place.home, 'from the command.bin'), content)
    const sending = place.run(['send', 'from the command.bin'])
    const bob = await open(`${origin}/#${await codeOf(sending)}`)
    await firefox({ do: 'press', who: bob, name: 'Save' })
    await firefox({ do: 'reads', who: bob, text: 'Everything is here' })
    t.equal(sha256(await readFile(await downloaded(downloads, 'from the command.bin'))), sha256(content))
    t.equal(await sending.exit, 0, sending.stderr())
  })
  await t.test('sending goes on in another tab', async (t) => {
    const { origin: address, hold } = await startProxy(t, origin)
    const name = 'interrupted.bin'
    await writeFile(join(folder, name), content)
    const alice = await open(address)
    const held = hold(3.25 * 2 ** 20)
    const code = String(await firefox({ do: 'send', who: alice, paths: [join(folder, name)] }))
    const { cut } = await held
    const again = Number(await firefox({ do: 'again', who: alice }))
    cut()
    await firefox({ do: 'reads', who: again, text: 'A transfer was interrupted in this browser.' })
    await firefox({ do: 'enter', who: again, code })
    await firefox({ do: 'reads', who: again, text: 'Go on sending' })
    await firefox({ do: 'choose', who: again, paths: [join(folder, name)] })
    const bob = await open(`${origin}/#${code}`)
    await firefox({ do: 'press', who: bob, name: 'Save' })
    await firefox({ do: 'reads', who: bob, text: 'Everything is here' })
    await firefox({ do: 'reads', who: again, text: 'Received and verified' })
    t.equal(sha256(await readFile(await downloaded(downloads, name))), sha256(content))
    t.same(await firefox({ do: 'complaints', who: again }), [])
  })

  await t.test('a tab that was closed in the middle goes on in another', async (t) => {
    const network = await startProxy(t, origin)
    const place = await newPlace(t, network.origin)
    const large = randomContent(5 * 2 ** 24)
    await writeFile(join(place.home, 'large.bin'), large)
    // One segment is whole, and more has come (web/saving/segmented-file.ts).
    const caught = network.hold(9 * 2 ** 23)
    const sending = place.run(['send', 'large.bin'])
    const code = await codeOf(sending)
    const bob = await open(`${origin}/#${code}`)
    await firefox({ do: 'reads', who: bob, text: '1 file, 83.9 MB' })
    const { bytes: before } = await firefox({ do: 'kept', who: bob }) as Kept
    await firefox({ do: 'press', who: bob, name: 'Save' })
    const held = await caught
    await eventually(async () => (await firefox({ do: 'kept', who: bob }) as Kept).bytes > before, 100)
    const later = Number(await firefox({ do: 'again', who: bob }))
    await firefox({ do: 'reads', who: later, text: 'A transfer was interrupted in this browser.' })
    await firefox({ do: 'enter', who: later, code })
    await firefox({ do: 'press', who: later, name: 'Save' })
    held.cut()
    await firefox({ do: 'reads', who: later, text: 'Everything is here' })
    t.equal(await sending.exit, 0, sending.stderr())
    t.equal(sha256(await readFile(await downloaded(downloads, 'large.bin'))), sha256(large))
    t.same((await firefox({ do: 'kept', who: later }) as Kept).records, 0)
  })
})
