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

interface Midway {
  readonly server: ServerProcess
  readonly alice: Place
  readonly bob: Place
  readonly sending: Run
  readonly receiving: Run
  readonly code: string
  readonly held: Held
}

export interface MidwayOptions {
  /** Sent behind `large.bin`. */
  readonly others?: readonly string[]
  readonly receive?: (bob: Place, code: string) => Run
}

/** A transfer of which some megabytes have come through, and the rest is held. */
export async function transferMidway (t: Test, { others = [], receive = (bob, code) => bob.run(['receive', code, '--yes']) }: MidwayOptions = {}): Promise<Midway> {
  const { server, bob } = await setUp(t)
  const proxy = await startProxy(t, server.origin)
  const alice = await newPlace(t, proxy.origin)
  await writeFile(join(alice.home, 'large.bin'), CONTENT)
  for (const name of others) await writeFile(join(alice.home, name), name)
  const holding = proxy.hold(6_000_000)
  const sending = alice.run(['send', 'large.bin', ...others])
  const code = await codeOf(sending)
  const held = await holding
  const receiving = receive(bob, code)
  await eventually(async () => await partialSize(bob) >= 1_000_000, 50)
  return { server, alice, bob, sending, receiving, code, held }
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
