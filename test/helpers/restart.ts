/** What the tests of restarts share: a transfer that one process begins and another one goes on with. */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { randomBytes, toHex } from '../../lib/crypto/bytes.js'
import { call, createSession, download, joinSession, randomContent, sha256, uploadFile, type TestSession } from './client.js'
import type { ServerProcess } from './process.js'

/** Four chunks, the last one not full. */
export const CONTENT = randomContent(3 * 2 ** 18 + 1000)

export const newSecret = (): string => toHex(randomBytes(32))

/** A session as the next process has it: on another port. */
export const movedTo = ({ origin }: { readonly origin: string }, session: TestSession): TestSession => ({ ...session, url: `${origin}/api/session/${session.id}` })

export async function crash ({ child, exit }: ServerProcess): Promise<void> {
  child.kill('SIGKILL')
  await exit
}

export const blobs = async (folder: string): Promise<string[]> =>
  (await readdir(join(folder, 'local-send'))).filter((name) => name.endsWith('.lsf'))

/** A session with a joiner and one file. */
export async function transferBegun (origin: string, options: object = {}): Promise<{ session: TestSession, joiner: string, fileId: string }> {
  const session = await createSession(origin, { max_joiners: 3, ...options })
  const joiner = await joinSession(session)
  const file = await uploadFile(session, session.token, CONTENT, 'crossing.bin')
  return { session, joiner, fileId: file.file_id }
}

export async function checkTransfer (t: Test, session: TestSession, token: string, fileId: string): Promise<void> {
  const status = await call(`${session.url}/status`, { token })
  t.match(status, { status: 200, body: { session_id: session.id, status: 'joined' } })
  const list = await call(`${session.url}/files`, { token })
  t.match(list.body['files'], [{ file_id: fileId, filename: 'crossing.bin', size: CONTENT.length, sha256: sha256(CONTENT) }])
  t.equal(Buffer.compare((await download(`${session.url}/download/${fileId}`, token)).bytes, CONTENT), 0, 'the same bytes')
  const range = await download(`${session.url}/download/${fileId}`, token, { range: 'bytes=262140-262150' })
  t.same([...range.bytes], [...CONTENT.subarray(262140, 262151)])
}

/** Does it again until it succeeds: what a client does while something is away. @throws what it failed with after a minute */
export async function insist <Value> (action: () => Promise<Value>): Promise<Value> {
  for (const deadline = Date.now() + 60_000; ;) {
    try {
      return await action()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await delay(50)
    }
  }
}
