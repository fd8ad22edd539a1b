/** Transfers that are interrupted while they are under way. */

import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { eventually } from '../helpers/events.js'
import { Noise } from '../helpers/noise.js'
import type { ServerProcess } from '../helpers/process.js'
import { startProxy, type Held } from '../helpers/proxy.js'
import { codeOf, newPlace, setUp, stateOf, treeOf, type Place, type Run } from './program.js'

/** What is sent. */
export const CONTENT = new Noise('a large file').take(12_000_000)

/** What is held on its way to the server must not go past it. */
const BY_SERVER = { LOCAL_SEND_NO_DIRECT: '1' }

/** An upload that is held in the middle. */
interface HeldUpload {
  readonly server: ServerProcess
  readonly alice: Place
  readonly bob: Place
  readonly sending: Run
  readonly code: string
  readonly held: Held
}

interface Midway extends HeldUpload {
  readonly receiving: Run
}

export interface HeldOptions {
  /** Environment variables of the sender; unless set, nothing goes past the server. */
  readonly surroundings?: Record<string, string>
  readonly send?: readonly string[]
  readonly input?: Uint8Array
}

export interface MidwayOptions extends HeldOptions {
  readonly receive?: (bob: Place, code: string) => Run
}

/** Alice has `large.bin` and `a.txt`; some megabytes of what she sends get through. */
export async function sendHeld (t: Test, { surroundings = BY_SERVER, send = ['large.bin'], input }: HeldOptions = {}): Promise<HeldUpload> {
  const { server, bob } = await setUp(t)
  const proxy = await startProxy(t, server.origin)
  const alice = await newPlace(t, proxy.origin, surroundings)
  await writeFile(join(alice.home, 'large.bin'), CONTENT)
  await writeFile(join(alice.home, 'a.txt'), 'content')
  const holding = proxy.hold(6_000_000)
  const sending = alice.run(['send', ...send], { input })
  const code = await codeOf(sending)
  return { server, alice, bob, sending, code, held: await holding }
}

/** A transfer of which some megabytes have come through, and the rest is held. */
export async function transferMidway (t: Test, { receive = (bob, code) => bob.run(['receive', code, '--yes']), ...options }: MidwayOptions = {}): Promise<Midway> {
  const upload = await sendHeld(t, options)
  const receiving = receive(upload.bob, upload.code)
  await eventually(async () => await partialSize(upload.bob) >= 1_000_000, 50)
  return { ...upload, receiving }
}

/** Bytes that a receiver holds of what is not whole yet. */
export async function partialSize ({ home }: Place): Promise<number> {
  const name = (await treeOf(home)).find((entry) => entry.endsWith('.part'))
  return name === undefined ? 0 : (await stat(join(home, name))).size
}

export async function kill ({ child, exit }: Pick<Run, 'child' | 'exit'>): Promise<void> {
  child.kill('SIGKILL')
  await exit
}

/** The file is there, and nothing else is left on either side. */
export async function checkArrived (t: Test, { alice, bob }: Pick<Midway, 'alice' | 'bob'>, content = CONTENT): Promise<void> {
  t.same(await treeOf(bob.home), ['large.bin'], 'and nothing else')
  t.equal(Buffer.compare(await readFile(join(bob.home, 'large.bin')), content), 0)
  t.same([await stateOf(alice), await stateOf(bob)], [[], []], 'nothing is kept')
}
