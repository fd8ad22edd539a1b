/** Servers that join, or answer joiners, with a password that they guess. They speak the protocol properly: a right guess succeeds. */

import { setTimeout as delay } from 'node:timers/promises'
import { concat, fromHex, fromBase64url, randomBytes, toBase64url, toHex, utf8, type Bytes } from '../../lib/crypto/bytes.js'
import { createSealer } from '../../lib/crypto/container.js'
import { newContentKey, unwrapContentKey, wrapContentKey } from '../../lib/crypto/keys.js'
import { openMetadata, sealMetadata } from '../../lib/crypto/metadata.js'
import { deriveW } from '../../lib/crypto/password.js'
import { confirmationMatches, joinerHandshake, joinerShare, passwordElement, responderHandshake, responderShare, type Handshake, type PasswordElement, type Share } from '../../lib/crypto/spake2.js'
import { isSessionId, type FileId, type SessionId } from '../../lib/ids.js'
import { newFileId } from '../../lib/new-ids.js'
import type { Attack, Call, Json, OwnAnswer, Victim } from './attacks.js'
import { say } from './say.js'

const KIND = 'end-to-end'
export const PLANTED = 'planted by the server'

function idOf (text: string): SessionId {
  if (!isSessionId(text)) throw new Error(`${text} is no session id`)
  return text
}

const elementOf = async (guess: string, sid: SessionId): Promise<PasswordElement> => passwordElement(await deriveW(guess, sid))

async function call (url: string, body?: Json, token?: string): Promise<Json> {
  const headers = { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) }
  const response = await fetch(url, body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) })
  return await response.json() as Json
}

/** Joins as anybody could who has the code, and reads the names of the files. Says `guessed NAME…`, or `refused STATUS`. */
export async function guessAsJoiner ({ server, session, code, guess }: Victim): Promise<void> {
  const sid = idOf(session)
  const element = await elementOf(guess, sid)
  const own = joinerShare(element)
  const { join_id: joinId, token } = await call(`${server}/${sid}/join`, { verification_code: code, public_key: toHex(own.share) })
  const url = `${server}/${sid}/joins/${String(joinId)}`
  const after = async (status: string): Promise<Json> => {
    for (;;) {
      const attempt = await call(`${url}?wait=25&after=${status}`, undefined, String(token))
      if (attempt['status'] !== status) return attempt
    }
  }
  const answered = await after('pending')
  if (answered['status'] !== 'answered') {
    say(`refused ${String(answered['status'])}`)
    return
  }
  const handshake = await joinerHandshake({ kind: KIND, sid, element, own, peer: fromHex(String(answered['public_key'])) })
  await fetch(`${url}/confirm`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${String(token)}` }, body: JSON.stringify({ confirmation: toHex(handshake.confirmation) }) })
  const joined = await after('confirmed')
  if (joined['status'] !== 'joined') {
    say(`refused ${String(joined['status'])}`)
    return
  }
  say('admitted')
  if (!await confirmationMatches(handshake.expectedConfirmation, fromHex(String(joined['confirmation'])))) return
  const contentKey = await unwrapContentKey(handshake.sessionKey, sid, fromBase64url(String(joined['wrapped_key'])))
  await readNames(`${server}/${sid}/files`, String(token), contentKey)
}

async function readNames (url: string, token: string, contentKey: Bytes): Promise<void> {
  let files: Array<{ file_id: FileId, metadata: string }> = []
  while (files.length === 0) files = (await call(url, undefined, token))['files'] as typeof files
  for (const { file_id: fileId, metadata } of files) {
    const opened = await openMetadata(fromBase64url(metadata), { contentKey, fileId, writers: 'B' })
    say(`guessed ${opened.metadata.name}`)
  }
}

/** What a player remembers of one attempt. */
interface Played {
  readonly own: Share
  readonly handshake: Handshake
  readonly joinId: string
  confirmation?: Bytes
}

const event = (type: string, data: Json = {}): string => `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`

async function * onlyReset (): AsyncGenerator<string, void> {
  yield await Promise.resolve(event('reset'))
}

const attemptId = (): string => toHex(randomBytes(8))
const later = (): string => new Date(Date.now() + 60_000).toISOString()

/**
 * Answers a joiner in the creator's place, and has a file of its own for him. Says `guessed` where the joiner's confirmation
 * shows that the guess is right; answers as if it were in any case.
 */
export function guessAsCreator (guess: string): Attack {
  const contentKey = newContentKey()
  const fileId = newFileId()
  let played: Played | undefined
  let limits: unknown

  const join = async (sid: SessionId, body: Json): Promise<OwnAnswer> => {
    const element = await elementOf(guess, sid)
    const own = responderShare(element)
    const handshake = await responderHandshake({ kind: KIND, sid, element, own, peer: fromHex(String(body['public_key'])) })
    played = { own, handshake, joinId: attemptId() }
    return { status: 202, body: { join_id: played.joinId, status: 'pending', kind: KIND, token: toBase64url(randomBytes(32)) } }
  }

  const attempt = async (sid: SessionId, { own, handshake, joinId, confirmation }: Played): Promise<OwnAnswer> => {
    const common = { join_id: joinId, expires_at: later(), public_key: toHex(own.share) }
    if (confirmation === undefined) return { status: 200, body: { ...common, status: 'answered' } }
    if (await confirmationMatches(handshake.expectedConfirmation, confirmation)) say('guessed')
    const wrapped = toBase64url(await wrapContentKey(handshake.sessionKey, sid, contentKey))
    return { status: 200, body: { ...common, status: 'joined', confirmation: toHex(handshake.confirmation), wrapped_key: wrapped } }
  }

  const container = async (): Promise<Bytes> => {
    const sealer = await createSealer({ contentKey, fileId, writer: 'B' })
    return concat(sealer.header, await sealer.seal(0, true, utf8(PLANTED)))
  }

  const list = async (): Promise<Json> => {
    const metadata = { name: 'planted.txt', size: PLANTED.length, type: 'text/plain', modified: new Date().toISOString() }
    const sealed = await sealMetadata(metadata, { contentKey, fileId, writer: 'B' })
    const size = (await container()).length
    return { files: [{ file_id: fileId, metadata: toBase64url(sealed), size, offset: size, uploaded_by: 'creator', uploaded_at: new Date().toISOString(), state: 'ready', received: 0 }], next_cursor: null }
  }

  return {
    answer: ({ path }, body) => {
      if (path === '/create') limits = body['limits']
      return undefined
    },
    instead: async ({ method, session, path, byCreator }, body) => {
      if (session === '' || byCreator) return undefined
      const sid = idOf(session)
      if (path === '/join') return await join(sid, body)
      if (played === undefined) return undefined
      if (path.endsWith('/confirm')) {
        played.confirmation = fromHex(String(body['confirmation']))
        return { status: 202, body: { status: 'confirmed' } }
      }
      if (path === `/joins/${played.joinId}`) return await attempt(sid, played)
      if (path === '/files') return { status: 200, body: await list() }
      if (path.startsWith('/download')) return { status: 200, body: await container() }
      if (path === '/events') return { status: 200, events: onlyReset() }
      if (path === '/status') return { status: 200, body: { session_id: sid, status: 'joined', kind: KIND, role: 'joiner', participants: [], expires_at: later(), limits } }
      return method === 'GET' ? { status: 404, body: { statusCode: 404, code: 'FILE_NOT_FOUND', error: 'Not Found', message: 'no' } } : { status: 204 }
    }
  }
}

/** One of the joiners below. */
interface Made {
  readonly joinId: string
  readonly own: Share
  readonly element: PasswordElement
  answered: boolean
  peer?: Bytes
  over: boolean
}

/**
 * A server that lets its own joiners come one after the other, beyond every limit that an honest one has. The last one knows the
 * password. Says `attempt N` for each that is answered, `guessed` where one is accepted, `gave up` when one is not answered.
 */
export function guessWithoutEnd (guess: string, most = 8): Attack {
  let current: Made | undefined
  let begun = false
  const told: string[] = []

  async function begin (sid: SessionId): Promise<void> {
    for (let count = 1; count <= most; count++) {
      const element = await elementOf(count === most ? guess : `not the password, ${count}`, sid)
      const made: Made = current = { joinId: attemptId(), own: joinerShare(element), element, answered: false, over: false }
      told.push(event('join.requested', { join_id: made.joinId }))
      for (let waited = 0; !made.answered && waited < 50; waited++) await delay(100)
      say(made.answered ? `attempt ${count}` : 'gave up')
      if (!made.answered) return
      told.push(event('join.confirmed', { join_id: made.joinId }))
      while (!made.over) await delay(20)
    }
  }

  /** Tells every listener the same. */
  async function * happenings (): AsyncGenerator<string, void> {
    yield event('reset')
    for (let next = 0; ; next++) {
      while (told[next] === undefined) await delay(20)
      yield told[next] ?? ''
    }
  }

  const attempt = async (sid: SessionId, { joinId, own, element, peer }: Made): Promise<Json> => {
    const common = { join_id: joinId, public_key: toHex(own.share), expires_at: later() }
    if (peer === undefined) return { ...common, status: 'pending' }
    const { confirmation } = await joinerHandshake({ kind: KIND, sid, element, own, peer })
    return { ...common, status: 'confirmed', confirmation: toHex(confirmation) }
  }

  const creatorsCall = async ({ method, session, path }: Call, body: Json): Promise<OwnAnswer | undefined> => {
    const sid = idOf(session)
    if (path === '/events') {
      if (!begun) begin(sid).catch((error: unknown) => { say(String(error)) })
      begun = true
      return { status: 200, events: happenings() }
    }
    if (!path.startsWith('/joins')) return undefined
    const made = current?.over === false ? current : undefined
    if (method === 'GET' && path === '/joins') return { status: 200, body: { joins: made === undefined ? [] : [await attempt(sid, made)] } }
    if (made === undefined) return { status: 409, body: { statusCode: 409, code: 'ATTEMPT_ENDED', error: 'Conflict', message: 'over' } }
    if (path.endsWith('/respond')) {
      made.peer = fromHex(String(body['public_key']))
      made.answered = true
    }
    if (path.endsWith('/accept')) say('guessed')
    made.over = path.endsWith('/accept') || path.endsWith('/reject')
    return { status: 200, body: {} }
  }
  return { instead: (call, body) => call.byCreator ? creatorsCall(call, body) : undefined }
}
