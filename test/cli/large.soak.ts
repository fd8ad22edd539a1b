import { createReadStream } from 'node:fs'
import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { parseSize } from '../../lib/config-values.js'
import { Noise } from '../helpers/noise.js'
import { spawnServer, type ServerProcess } from '../helpers/process.js'
import { newSecret } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'
import { codeOf, newPlace, stateOf, treeOf, type Place, type Run } from './program.js'

const MIB = 2 ** 20
/** A tenth of what the other long tests take: 1 GiB. */
const SIZE = Math.ceil(parseSize(process.env['SOAK_SIZE'] ?? '10GiB') / 10)
const SMALL_FILES = 10_000

async function writeNoise (path: string, size: number): Promise<string> {
  const noise = new Noise('one gibibyte')
  const hash = createHash('sha256')
  const file = await open(path, 'wx')
  for (let rest = size; rest > 0; rest -= MIB) {
    const piece = noise.take(Math.min(MIB, rest))
    hash.update(piece)
    await file.writeFile(piece)
  }
  await file.close()
  return hash.digest('hex')
}

async function sha256Of (path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

async function receivedBytes ({ home }: Place): Promise<number> {
  const name = (await treeOf(home)).find((entry) => entry.endsWith('.part'))
  return name === undefined ? 0 : (await stat(join(home, name))).size
}

async function kill ({ child, exit }: Run | ServerProcess): Promise<void> {
  child.kill('SIGKILL')
  await exit
}

async function until (t: Test, bob: Place, bytes: number, ...running: readonly Run[]): Promise<void> {
  const ended = Promise.race(running.map(({ exit }) => exit)).then(() => true)
  while (await receivedBytes(bob) < bytes) {
    if (await Promise.race([ended, delay(20, false)])) {
      t.fail(`somebody ended before ${bytes} bytes had come: ${running.map(({ stderr }) => stderr()).join()}`)
      return
    }
  }
}

async function throughKills (t: Test, surroundings: Record<string, string>): Promise<void> {
  const environment = { UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: newSecret(), MAX_FILE_SIZE: String(2 * SIZE) }
  const server = await spawnServer(t, environment)
  const [alice, bob] = [await newPlace(t, server.origin, surroundings), await newPlace(t, server.origin)]
  const sha256 = await writeNoise(join(alice.home, 'large.bin'), SIZE)

  const sending = alice.run(['send', 'large.bin'])
  const code = await codeOf(sending)
  const receiving = bob.run(['receive', code, '--yes'])
  await until(t, bob, SIZE / 5, sending, receiving)
  await kill(receiving)
  const again = bob.run(['receive', code, '--yes', '--resume'])
  await until(t, bob, 2 * SIZE / 5, sending, again)
  await kill(sending)
  const once = alice.run(['send', '--resume', code])
  await until(t, bob, 3 * SIZE / 5, once, again)
  await kill(server)
  await spawnServer(t, { ...environment, PORT: new URL(server.origin).port })

  t.same([await again.exit, await once.exit], [0, 0], again.stderr() + once.stderr())
  t.same(await treeOf(bob.home), ['large.bin'])
  t.equal(await sha256Of(join(bob.home, 'large.bin')), sha256)
  t.same([await stateOf(alice), await stateOf(bob)], [[], []])
}

t.test('a large file, while receiver, sender and server are killed', (t) => throughKills(t, {}))
t.test('the same by the server alone', (t) => throughKills(t, { LOCAL_SEND_NO_DIRECT: '1' }))

t.test('ten thousand small files', async (t) => {
  const server = await spawnServer(t, { UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: newSecret(), MAX_FILES: String(SMALL_FILES + 1) })
  const [alice, bob] = [await newPlace(t, server.origin), await newPlace(t, server.origin)]
  const contentOf = (i: number): string => `file ${i} `.repeat(i % 200)
  for (let i = 0; i < SMALL_FILES; i++) {
    const folder = join(alice.home, 'many', String(i % 100))
    if (i < 100) await mkdir(folder, { recursive: true })
    await writeFile(join(folder, `${i}.txt`), contentOf(i))
  }
  const sending = alice.run(['send', 'many'])
  const began = performance.now()
  const receiving = bob.run(['receive', await codeOf(sending), '--yes'])
  t.same([await receiving.exit, await sending.exit], [0, 0], receiving.stderr() + sending.stderr())
  t.comment(`${SMALL_FILES} files: ${((performance.now() - began) / 1000).toFixed(1)} s, ${server.output().split('"incoming request"').length - 1} requests`)
  t.same(await treeOf(join(bob.home, 'many')), await treeOf(join(alice.home, 'many')))
  let wrong = 0
  for (let i = 0; i < SMALL_FILES; i++) if (await readFile(join(bob.home, 'many', String(i % 100), `${i}.txt`), 'utf8') !== contentOf(i)) wrong += 1
  t.equal(wrong, 0, 'byte for byte')
})
