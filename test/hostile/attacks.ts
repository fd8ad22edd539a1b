/** What a lying server can try. Each attack is made anew for each proxy, so it may keep what it has seen. */

import { concat, fromHex, randomBytes, toBase64url, toHex, fromBase64url, type Bytes } from '../../lib/crypto/bytes.js'
import { HEADER_SIZE, TAG_SIZE } from '../../lib/crypto/container.js'
import * as p256 from '../../lib/crypto/p256.js'
import { guessAsCreator, guessAsJoiner, guessWithoutEnd } from './players.js'

export type Json = Record<string, unknown>

/** A request, as far as it says what it is about. */
export interface Call {
  readonly method: string
  readonly session: string
  /** Behind the session: `/joins/0123456789abcdef/confirm`. */
  readonly path: string
  readonly token: string | undefined
  readonly byCreator: boolean
}

/** A file as it is delivered: `metadata` as base64url. */
export interface Stored {
  readonly id: string
  readonly metadata: string
  readonly container: Bytes
}

export interface OwnAnswer {
  readonly status: number
  readonly body?: Json | Bytes
  /** Instead of a body: a stream of server-sent events, as they come. */
  readonly events?: AsyncIterable<string>
}

/** A session that was created through the proxy, and a password to try. */
export interface Victim {
  readonly server: string
  readonly session: string
  readonly code: string
  readonly guess: string
}

export interface Attack {
  /** Alters what a client asks. */
  readonly request?: (call: Call, body: Json) => Json
  /** Alters what the server answers; nothing where it does not. */
  readonly answer?: (call: Call, body: Json) => Json | undefined
  /** Alters what receivers are told of files, and get. */
  readonly files?: (files: readonly Stored[]) => readonly Stored[]
  /** Answers in the server's place. */
  readonly instead?: (call: Call, body: Json) => Promise<OwnAnswer | undefined> | OwnAnswer | undefined
  readonly onCreate?: (victim: Victim) => void
}

const isJoin = ({ method, path }: Call): boolean => method === 'POST' && path === '/join'
const isConfirm = ({ path }: Call): boolean => path.endsWith('/confirm')
const isAttempt = ({ method, path, byCreator }: Call): boolean => method === 'GET' && /^\/joins\/[0-9a-f]{16}$/.test(path) && !byCreator

const otherShare = (): string => toHex(p256.encodePoint(p256.multiplyBase(p256.randomScalar())))
const flipped = (bytes: Uint8Array, position: number): Bytes => {
  const copy = concat(bytes)
  const at = position < 0 ? copy.length + position : position
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}
const flippedHex = (text: unknown, position: number): string => toHex(flipped(fromHex(String(text)), position))

/** Alters a field of what the joiner reads of his attempt, where it is there. */
const ofAttempt = (field: string, alter: (value: unknown) => unknown) => (call: Call, body: Json): Json | undefined =>
  isAttempt(call) && typeof body[field] === 'string' ? { ...body, [field]: alter(body[field]) } : undefined

/** Alters a field of what the creator reads of attempts. */
const ofJoins = (field: string, alter: (value: unknown) => unknown) => ({ method, path, byCreator }: Call, body: Json): Json | undefined => {
  if (method !== 'GET' || !byCreator || !path.startsWith('/joins')) return undefined
  const one = (join: Json): Json => typeof join[field] === 'string' ? { ...join, [field]: alter(join[field]) } : join
  return Array.isArray(body['joins']) ? { ...body, joins: (body['joins'] as Json[]).map(one) } : one(body)
}

/** Keeps a field of a request, to be played back. */
function recorded (isIt: (call: Call) => boolean, field: string): { readonly request: NonNullable<Attack['request']>, readonly value: () => string } {
  let value = ''
  return {
    value: () => value,
    request: (call, body) => {
      if (isIt(call)) value = String(body[field])
      return body
    }
  }
}

/** What can be altered in the bytes of a container: a header with the logarithm of a chunk's size, then chunks. */
const CHUNK_LOG2 = 6
function chunksOf (container: Bytes): Bytes[] {
  const size = 2 ** (container[CHUNK_LOG2] ?? 0) + TAG_SIZE
  return Array.from({ length: Math.ceil((container.length - HEADER_SIZE) / size) }, (_, i) => container.slice(HEADER_SIZE + i * size, HEADER_SIZE + (i + 1) * size))
}
/** What has no content, a sender's mark among it, is left alone, so that each attack is about what it is called after. */
const hasContent = ({ container }: Stored): boolean => container.length > HEADER_SIZE + TAG_SIZE
const eachContainer = (alter: (container: Bytes) => Bytes): Attack => ({
  files: (files) => files.map((file) => hasContent(file) ? { ...file, container: alter(file.container) } : file)
})
const eachChunks = (alter: (chunks: Bytes[]) => readonly Bytes[]): Attack =>
  eachContainer((container) => concat(container.slice(0, HEADER_SIZE), ...alter(chunksOf(container))))

/** Each file in the place of its neighbour. */
function neighbours (files: readonly Stored[], alter: (file: Stored, other: Stored) => Stored): readonly Stored[] {
  const full = files.filter(hasContent)
  return files.map((file) => hasContent(file) ? alter(file, full[(full.indexOf(file) + 1) % full.length] ?? file) : file)
}

/** The handshake, and what each side is told of it. */
const HANDSHAKE = {
  'pA-altered': () => ({ request: (call, body) => isJoin(call) ? { ...body, public_key: otherShare() } : body }),
  'pA-off-curve': () => ({ answer: ofJoins('public_key', (share) => flippedHex(share, -1)) }),
  'pB-altered': () => ({ answer: ofAttempt('public_key', otherShare) }),
  'pB-off-curve': () => ({ answer: ofAttempt('public_key', (share) => flippedHex(share, -1)) }),
  'pB-reflected': () => {
    const { request, value } = recorded(isJoin, 'public_key')
    return { request, answer: ofAttempt('public_key', value) }
  },
  'cA-altered': () => ({ request: (call, body) => isConfirm(call) ? { ...body, confirmation: toHex(randomBytes(32)) } : body }),
  'cB-altered': () => ({ answer: ofAttempt('confirmation', () => toHex(randomBytes(32))) }),
  'cB-reflected': () => {
    const { request, value } = recorded(isConfirm, 'confirmation')
    return { request, answer: ofAttempt('confirmation', value) }
  },
  'wrapped-key-altered': () => ({ answer: ofAttempt('wrapped_key', (key) => toBase64url(flipped(fromBase64url(String(key)), 20))) }),
  'kind-at-create': () => ({ answer: ({ path }, body) => path === '/create' ? { ...body, kind: 'managed' } : undefined }),
  'kind-at-join': () => ({ answer: (call, body) => isJoin(call) ? { ...body, kind: 'managed' } : undefined }),
  'plays-joiner': (guess) => ({ onCreate: (victim) => { void guessAsJoiner({ ...victim, guess }) } }),
  'plays-joiners-without-end': (guess) => guessWithoutEnd(guess),
  'plays-creator': (guess) => guessAsCreator(guess)
} as const satisfies Record<string, (guess: string) => Attack>

/** What is delivered. */
const FILES = {
  'files-swapped': () => ({ files: (files) => neighbours(files, (file, { container }) => ({ ...file, container })) }),
  'metadata-swapped': () => ({ files: (files) => neighbours(files, (file, { metadata }) => ({ ...file, metadata })) }),
  // The first file again, where the second one should be.
  replayed: () => ({ files: (files) => files.map((file) => hasContent(file) ? { ...files.find(hasContent) ?? file, id: file.id } : file) }),
  'cut-before-the-last-chunk': () => eachChunks((chunks) => chunks.slice(0, -1)),
  'cut-in-a-chunk': () => eachContainer((container) => container.slice(0, -1000)),
  'cut-in-the-header': () => eachContainer((container) => container.slice(0, HEADER_SIZE - 1)),
  reordered: () => eachChunks(([first = new Uint8Array(), second = new Uint8Array(), ...rest]) => [second, first, ...rest]),
  'chunk-again': () => eachChunks(([first = new Uint8Array(), second = new Uint8Array(), ...rest]) => [first, first, ...second.length === 0 ? [] : rest]),
  'bit-in-a-chunk': () => eachContainer((container) => flipped(container, HEADER_SIZE + 1000)),
  'bit-in-the-last-chunk': () => eachContainer((container) => flipped(container, -20)),
  'bit-in-the-commitment': () => eachContainer((container) => flipped(container, HEADER_SIZE - 1)),
  'bit-in-the-salt': () => eachContainer((container) => flipped(container, 30)),
  'bytes-appended': () => eachContainer((container) => concat(container, new Uint8Array(100))),
  'chunk-appended': () => eachChunks((chunks) => [...chunks, chunks.at(-1) ?? new Uint8Array()]),
  'writer-altered': () => eachContainer((container) => concat(container.slice(0, 7), Uint8Array.of(0x53), container.slice(8))),
  'metadata-altered': () => ({ files: (files) => files.map((file) => hasContent(file) ? alterName(file) : file) }),
  // The only entry without content is the sender's mark.
  'mark-altered': () => ({ files: (files) => files.map((file) => hasContent(file) ? file : alterName(file)) }),
  'own-file-reflected': () => ({ answer: reflect })
} as const satisfies Record<string, (guess: string) => Attack>

/** The JSON begins with `{"name":"`, behind two bytes of length. */
const alterName = (file: Stored): Stored => ({ ...file, metadata: toBase64url(flipped(fromBase64url(file.metadata), HEADER_SIZE + 12)) })

/** Tells everyone that the others have written what he has written himself. */
function reflect ({ method, path, byCreator }: Call, body: Json): Json | undefined {
  if (method !== 'GET' || path !== '/files') return undefined
  const [own, other] = byCreator ? ['creator', 'joiner'] : ['joiner', 'creator']
  return { ...body, files: (body['files'] as Json[]).map((file) => file['uploaded_by'] === own ? { ...file, uploaded_by: other } : file) }
}

/** Changes nothing: shows that the proxy as such breaks nothing. */
const none = (): Attack => ({})

export const ATTACKS = { none, ...HANDSHAKE, ...FILES } as const satisfies Record<string, (guess: string) => Attack>
export type AttackName = keyof typeof ATTACKS
export const isAttackName = (name: string): name is AttackName => Object.hasOwn(ATTACKS, name)
