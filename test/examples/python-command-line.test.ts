import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { PASSWORD, randomContent, sha256 } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { needs } from '../helpers/services.js'
import { commandLine, python, type Client } from '../hostile/clients.js'
import { run } from '../hostile/scene.js'

/** Of no chunk, one, and several; small ones go together, the large one by itself. */
const FILES: Readonly<Record<string, Uint8Array>> = { 'empty.bin': randomContent(0), 'small.bin': randomContent(1000), 'large.bin': randomContent(9 * 2 ** 18 + 12_345) }

async function transfer (t: Test, from: Client, to: Client): Promise<void> {
  const { origin } = await startServer(t)
  const cwd = await temporaryFolder(t)
  await mkdir(join(cwd, 'sent'))
  for (const [name, content] of Object.entries(FILES)) await writeFile(join(cwd, 'sent', name), content)
  const place = { origin, cwd, password: PASSWORD }
  const sender = run(t, from.send(place, Object.keys(FILES).map((name) => join('sent', name))))
  await eventually(() => sender.hasEnded() || from.codeOf(sender.output()) !== '')

  const wrong = run(t, to.receive({ ...place, password: 'another password' }, from.codeOf(sender.output()), []))
  t.ok(await wrong.exit !== 0, 'a wrong password is refused')
  const receiver = run(t, to.receive(place, from.codeOf(sender.output()), []))
  t.equal(await receiver.exit, 0, receiver.output())
  t.equal(await sender.exit, 0, sender.output())
  for (const [name, content] of Object.entries(FILES)) t.equal(sha256(await readFile(join(cwd, 'received', name))), sha256(content), name)
  const verifiers = [sender, receiver].map(({ output }) => /[0-9a-f]{4}(?: [0-9a-f]{4}){3}/.exec(output())?.[0])
  t.ok(verifiers[0])
  t.equal(verifiers[0], verifiers[1], 'both show the same verifier')
}

t.test('from Python to the command line', async (t) => {
  if (await needs(t, 'cryptography')) await transfer(t, python, commandLine())
})

t.test('from the command line to Python', async (t) => {
  if (await needs(t, 'cryptography')) await transfer(t, commandLine(), python)
})

t.test('a file that the command line does not know the size of', async (t) => {
  if (!await needs(t, 'cryptography')) return
  const { origin } = await startServer(t)
  const place = { origin, cwd: await temporaryFolder(t), password: PASSWORD }
  const content = randomContent(3 * 2 ** 18)
  const sender = run(t, { ...commandLine().send(place, ['--name', 'stream.bin', '-']), takesInput: true })
  sender.input?.end(content)
  await eventually(() => sender.hasEnded() || commandLine().codeOf(sender.output()) !== '')
  const receiver = run(t, python.receive(place, commandLine().codeOf(sender.output()), []))
  t.equal(await receiver.exit, 0, receiver.output())
  t.equal(await sender.exit, 0, sender.output())
  t.equal(sha256(await readFile(join(place.cwd, 'received/stream.bin'))), sha256(content))
})
