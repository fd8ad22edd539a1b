/** Where transfers are tested: a server, an end-to-end session on it, and two members of it. */

import { createHash } from 'node:crypto'
import type { Test } from 'tap'
import type { Connection, Fetch } from '../../../client/http.js'
import type { SendOutcome } from '../../../client/send.js'
import type { Member, Role } from '../../../client/session.js'
import type { Source } from '../../../client/source.js'
import type { Bytes } from '../../../lib/crypto/bytes.js'
import { newContentKey } from '../../../lib/crypto/keys.js'
import { isSessionId, type SessionId } from '../../../lib/ids.js'
import { call, createSession, joinSession } from '../../helpers/client.js'
import { startServer, type TestServer } from '../../helpers/server.js'

export const CHUNK = 2 ** 19
/** What a container has around and between its chunks. */
export const HEADER = 92
export const TAG = 16

/** So soon after a failure that no test waits for it. */
export const QUICK = { tries: 6, delay: 10, longest: 100 }

export interface Place {
  readonly server: TestServer
  readonly connection: Connection
  readonly creator: Member
  readonly joiner: Member
}

const LIMITS = { maxFileSize: 2 ** 26, maxSessionSize: 2 ** 30, maxFiles: 10_000, maxJoiners: 1, maxDownloads: null }

export async function startPlace (t: Test, environment: Record<string, string> = {}): Promise<Place> {
  const server = await startServer(t, environment)
  return { server, ...await endToEndSession(server.origin) }
}

/** A member of a session that no server knows. */
export const memberOf = (role: Role, contentKey: Bytes): Member =>
  ({ server: '', sessionId: idOf('0123abcd'), kind: 'end-to-end', role, token: '', contentKey, expiresAt: DAY.toISOString(), limits: LIMITS })

/** A session whose join was relayed by hand: the server cannot tell. */
export async function endToEndSession (origin: string): Promise<Omit<Place, 'server'>> {
  const created = await post(`${origin}/api/session/create`, undefined, { kind: 'end-to-end' })
  const sessionId = idOf(created['session_id'])
  const token = String(created['token'])
  const contentKey = newContentKey()
  const member = (role: Role, token: string): Member => ({ server: origin, sessionId, kind: 'end-to-end', role, token, contentKey, expiresAt: String(created['expires_at']), limits: LIMITS })
  const joiner = await relayedJoin(origin, sessionId, String(created['verification_code']), token)
  return { connection: { server: origin }, creator: member('creator', token), joiner: member('joiner', joiner) }
}

async function relayedJoin (origin: string, id: SessionId, code: string, creator: string): Promise<string> {
  const url = `${origin}/api/session/${id}`
  const { join_id: joinId, token } = await post(`${url}/join`, undefined, { verification_code: code, public_key: `04${'1'.repeat(128)}` })
  const attempt = `${url}/joins/${String(joinId)}`
  await post(`${attempt}/respond`, creator, { public_key: `04${'2'.repeat(128)}` })
  await post(`${attempt}/confirm`, String(token), { confirmation: '3'.repeat(64) })
  await post(`${attempt}/accept`, creator, { confirmation: '4'.repeat(64), wrapped_key: 'A'.repeat(80) })
  return String(token)
}

async function post (url: string, token: string | undefined, body: object): Promise<Record<string, unknown>> {
  const answer = await call(url, { method: 'POST', token, body })
  if (answer.status >= 300) throw new Error(`${url} answered ${answer.summary} ${JSON.stringify(answer.body)}`)
  return answer.body
}

function idOf (value: unknown): SessionId {
  if (!isSessionId(value)) throw new Error('no session id')
  return value
}

/** The same, in a session where the server encrypts. */
export async function startManagedPlace (t: Test, environment: Record<string, string> = {}): Promise<Place> {
  const server = await startServer(t, environment)
  const session = await createSession(server.origin)
  const member = (role: Role, token: string): Member => ({ server: server.origin, sessionId: idOf(session.id), kind: 'managed', role, token, contentKey: undefined, expiresAt: '2099-01-01T00:00:00Z', limits: LIMITS })
  return { server, connection: { server: server.origin }, creator: member('creator', session.token), joiner: member('joiner', await joinSession(session)) }
}

/** A source that tells where it was read from. Its pieces share one buffer, as those of a file may. */
export interface RecordedSource extends Source {
  /** Offsets at which reading began. */
  readonly reads: number[]
  readonly content: Uint8Array
}

export const DAY = new Date('2026-01-02T03:04:05.678Z')

export function recorded (content: Uint8Array, { name = 'file.bin', modified = DAY, pieceSize = 65_536, ...rest }: Partial<Pick<Source, 'name' | 'modified' | 'mode' | 'kind' | 'key' | 'renew'>> & { pieceSize?: number } = {}): RecordedSource {
  const reads: number[] = []
  return {
    name,
    size: content.length,
    type: 'application/octet-stream',
    modified,
    ...rest,
    reads,
    content,
    async * read (offset) {
      reads.push(offset)
      const buffer = new Uint8Array(pieceSize)
      for (let at = offset; at < content.length; at += pieceSize) {
        const piece = content.subarray(at, at + pieceSize)
        buffer.set(piece)
        yield await Promise.resolve(buffer.subarray(0, piece.length))
      }
    }
  }
}

/** A connection whose requests are written down; of those for which `lose` says so, the answer is lost. */
export function watched ({ server }: Connection, lose: (line: string) => boolean = () => false): { readonly connection: Connection, readonly lines: string[] } {
  const lines: string[] = []
  const watchedFetch: Fetch = async (url, init) => {
    const line = [init.method, new URL(url).pathname.split('/')[4]].join(' ')
    lines.push(line)
    const loses = lose(line)
    const response = await fetch(url, init)
    if (!loses) return response
    await response.body?.cancel()
    throw new TypeError('the answer was lost')
  }
  return { connection: { server, fetch: watchedFetch }, lines }
}

export async function collect <Item> (items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

/** The content that comes, in one piece. */
export const bytesOf = async (pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(Buffer.concat(await collect(pieces)))

export const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')

/** What became of each source, in words. */
export const told = (outcomes: readonly SendOutcome[]): string[] => outcomes.map((outcome) => 'error' in outcome ? `${outcome.source.name} ${outcome.error.code}` : `${outcome.source.name} ${outcome.size}${outcome.resumed ? ' resumed' : ''}`)

/** The code that something fails with. */
export async function codeOf (work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}
