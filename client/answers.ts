/**
 * What the server says, checked before anything believes it (protocol local-send/1, section 4). Invariant: every value that
 * comes out of here has the exact length, alphabet and range that the protocol gives it; a failure names the field, never its
 * value.
 */

import { fromBase64url, fromHex, type Bytes } from '../lib/crypto/bytes.js'
import { WRAPPED_KEY_SIZE } from '../lib/crypto/keys.js'
import { MAX_SEALED_METADATA } from '../lib/crypto/metadata.js'
import type { SessionKind } from '../lib/crypto/spake2.js'
import { isFileId, isJoinId, isSessionId, type FileId, type JoinId, type SessionId } from '../lib/ids.js'
import { ClientError } from './errors.js'
import { isRecord, printable } from './http.js'

/** Who somebody is in a session. */
export type Role = 'creator' | 'joiner'

/** What a session accepts. */
export interface Limits {
  /** Bytes. */
  readonly maxFileSize: number
  /** Bytes of all files together. */
  readonly maxSessionSize: number
  readonly maxFiles: number
  readonly maxJoiners: number
  /** Downloads of each file; `null`: any number. */
  readonly maxDownloads: number | null
}

/** The answer to create. */
export interface Created {
  readonly sessionId: SessionId
  /** 6 digits. */
  readonly verificationCode: string
  readonly kind: SessionKind
  readonly token: string
  /** RFC 3339, UTC. */
  readonly expiresAt: string
  readonly limits: Limits
  /** What would make the password stronger; managed sessions only. */
  readonly passwordAdvice: string | undefined
}

/** The answer to a join with a share. */
export interface Pending {
  readonly joinId: JoinId
  readonly kind: SessionKind
  readonly token: string
  /** pB, 65 bytes; managed sessions only. */
  readonly publicKey: Bytes | undefined
}

export const ATTEMPT_STATUSES = ['pending', 'answered', 'confirmed', 'joined', 'rejected', 'expired'] as const
export type AttemptStatus = typeof ATTEMPT_STATUSES[number]

/** An attempt to join as one side sees it; share and confirmation are the other side's. */
export interface Attempt {
  readonly joinId: JoinId
  readonly status: AttemptStatus
  /** 65 bytes, unchecked beyond that. */
  readonly publicKey: Bytes | undefined
  /** 32 bytes. */
  readonly confirmation: Bytes | undefined
  /** 60 bytes. */
  readonly wrappedKey: Bytes | undefined
}

/** The state of a session. */
export interface SessionStatus {
  readonly sessionId: SessionId
  readonly status: 'created' | 'joined' | 'locked' | 'closed'
  readonly kind: SessionKind
  readonly role: Role
  readonly participants: ReadonlyArray<{ readonly role: Role, readonly joinedAt: string }>
  readonly expiresAt: string
  readonly limits: Limits
}

/** A file of a session's list. Its name, where the server knows one, is whatever its sender wrote. */
export interface ListedFile {
  readonly fileId: FileId
  /** Sealed, 620 to 4204 bytes; end-to-end sessions only. */
  readonly metadata: Bytes | undefined
  /** Managed sessions only, and so are the two below. */
  readonly filename: string | undefined
  readonly contentType: string | undefined
  readonly sha256: string | undefined
  /** Bytes; of an end-to-end session those of the container; `null` while nobody knows. */
  readonly size: number | null
  readonly uploadedBy: Role
  readonly uploadedAt: string
  readonly state: 'uploading' | 'ready'
  /** Bytes that the server has. */
  readonly offset: number
  /** How many participants have said that they have it. */
  readonly received: number
  readonly maxDownloads: number | undefined
  readonly expiresAt: string | undefined
}

/** The fields of an answer. Each method gives the value of one, or throws BAD_ANSWER with its name. */
export class Fields {
  readonly #record: Readonly<Record<string, unknown>>
  readonly #where: string

  /** @param where - what a failure names: `create`, `files[3]` */
  constructor (value: unknown, where: string) {
    if (!isRecord(value)) throw bad(where)
    this.#record = value
    this.#where = where
  }

  /** The value of a field, of the type that `accepts` tells. */
  of <Value>(name: string, accepts: (value: unknown) => value is Value): Value {
    const value = Object.hasOwn(this.#record, name) ? this.#record[name] : undefined
    if (!accepts(value)) throw bad(`${this.#where}.${name}`)
    return value
  }

  /** As `read` reads it; `undefined` where there is no such field. */
  optional <Value>(name: string, read: (fields: this, name: string) => Value): Value | undefined {
    return Object.hasOwn(this.#record, name) && this.#record[name] !== undefined ? read(this, name) : undefined
  }

  oneOf <const Value>(name: string, ...values: readonly Value[]): Value {
    return this.of(name, (value): value is Value => values.some((known) => known === value))
  }

  text (name: string, form: RegExp): string {
    return this.of(name, (value): value is string => typeof value === 'string' && form.test(value))
  }

  /** Bytes from lowercase hex of exactly so many digits. */
  hex (name: string, digits: number): Bytes {
    return fromHex(this.text(name, new RegExp(`^[0-9a-f]{${digits}}$`)))
  }

  /** Bytes from base64url, as many as the range says. */
  base64url (name: string, least: number, most = least): Bytes {
    const text = this.of(name, (value): value is string => typeof value === 'string' && value.length <= Math.ceil(most * 4 / 3))
    try {
      const bytes = fromBase64url(text)
      if (bytes.length >= least && bytes.length <= most) return bytes
    } catch {}
    throw bad(`${this.#where}.${name}`)
  }

  /** A whole number from 0 on. */
  whole (name: string): number {
    return this.of(name, (value): value is number => Number.isSafeInteger(value) && Number(value) >= 0)
  }

  /** A whole number, or `null`. */
  wholeOrNull (name: string): number | null {
    return this.isNull(name) ? null : this.whole(name)
  }

  isNull (name: string): boolean {
    return this.#record[name] === null
  }

  time (name: string): string {
    const text = this.text(name, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/)
    if (Number.isNaN(Date.parse(text))) throw bad(`${this.#where}.${name}`)
    return text
  }

  token (name: string): string {
    this.base64url(name, 32)
    return this.text(name, /^/)
  }

  sessionId (name = 'session_id'): SessionId { return this.of(name, isSessionId) }
  joinId (name = 'join_id'): JoinId { return this.of(name, isJoinId) }
  fileId (name = 'file_id'): FileId { return this.of(name, isFileId) }
  kind (name = 'kind'): SessionKind { return this.oneOf(name, 'managed', 'end-to-end') }
  role (name = 'role'): Role { return this.oneOf(name, 'creator', 'joiner') }

  /** Each element of a list, of at most `max`. */
  list <Value>(name: string, max: number, read: (fields: Fields) => Value): Value[] {
    const elements = this.of(name, (value): value is readonly unknown[] => Array.isArray(value) && value.length <= max)
    return elements.map((element, i) => read(new Fields(element, `${this.#where}.${name}[${i}]`)))
  }

  object (name: string): Fields {
    return new Fields(this.#record[name], `${this.#where}.${name}`)
  }
}

const bad = (where: string): ClientError => new ClientError('BAD_ANSWER', { detail: `What is wrong: ${where}.` })

const limitsOf = (fields: Fields): Limits => ({
  maxFileSize: fields.whole('max_file_size'),
  maxSessionSize: fields.whole('max_session_size'),
  maxFiles: fields.whole('max_files'),
  maxJoiners: fields.whole('max_joiners'),
  maxDownloads: fields.wholeOrNull('max_downloads')
})

export const createdOf = (fields: Fields): Created => {
  fields.oneOf('status', 'created')
  fields.oneOf('role', 'creator')
  return {
    sessionId: fields.sessionId(),
    verificationCode: fields.text('verification_code', /^\d{6}$/),
    kind: fields.kind(),
    token: fields.token('token'),
    expiresAt: fields.time('expires_at'),
    limits: limitsOf(fields.object('limits')),
    passwordAdvice: fields.optional('password_advice', (_, name) => printable(fields.text(name, /^/)))
  }
}

export const pendingOf = (fields: Fields): Pending => {
  fields.oneOf('status', 'pending')
  return { joinId: fields.joinId(), kind: fields.kind(), token: fields.token('token'), publicKey: fields.optional('public_key', hex130) }
}

const hex130 = (fields: Fields, name: string): Bytes => fields.hex(name, 130)
const hex64 = (fields: Fields, name: string): Bytes => fields.hex(name, 64)

export const attemptOf = (fields: Fields): Attempt => ({
  joinId: fields.joinId(),
  status: fields.oneOf('status', ...ATTEMPT_STATUSES),
  publicKey: fields.optional('public_key', hex130),
  confirmation: fields.optional('confirmation', hex64),
  wrappedKey: fields.optional('wrapped_key', (_, name) => fields.base64url(name, WRAPPED_KEY_SIZE))
})

/** Participants that a status lists at most: far more than any session admits. */
const MAX_PARTICIPANTS = 10_000

export const statusOf = (fields: Fields): SessionStatus => ({
  sessionId: fields.sessionId(),
  status: fields.oneOf('status', 'created', 'joined', 'locked', 'closed'),
  kind: fields.kind(),
  role: fields.role(),
  participants: fields.list('participants', MAX_PARTICIPANTS, (one) => ({ role: one.role(), joinedAt: one.time('joined_at') })),
  expiresAt: fields.time('expires_at'),
  limits: limitsOf(fields.object('limits'))
})

const text = (fields: Fields, name: string): string => fields.text(name, /^/)

/** Bytes of the shortest sealed metadata: header, one block, tag. */
const MIN_SEALED_METADATA = 620

export const fileOf = (fields: Fields): ListedFile => ({
  fileId: fields.fileId(),
  metadata: fields.optional('metadata', (_, name) => fields.base64url(name, MIN_SEALED_METADATA, MAX_SEALED_METADATA)),
  filename: fields.optional('filename', text),
  contentType: fields.optional('content_type', text),
  sha256: fields.optional('sha256', (_, name) => fields.text(name, /^[0-9a-f]{64}$/)),
  size: fields.wholeOrNull('size'),
  uploadedBy: fields.role('uploaded_by'),
  uploadedAt: fields.time('uploaded_at'),
  state: fields.oneOf('state', 'uploading', 'ready'),
  offset: fields.whole('offset'),
  received: fields.optional('received', (_, name) => fields.whole(name)) ?? 0,
  maxDownloads: fields.optional('max_downloads', (_, name) => fields.whole(name)),
  expiresAt: fields.optional('expires_at', (_, name) => fields.time(name))
})
