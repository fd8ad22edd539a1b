/**
 * Session records as bytes, for stores that keep them outside this process's memory (protocol local-send/1, section 4).
 *
 *     encoded = JSON {"version", "record"} in UTF-8; in it, bytes are the text "~b" ‖ base64url, and "~s" stands before a text
 *               that begins with "~" itself
 *     sealed  = as in sealing.ts, under "local-send/1 record" ‖ 00 ‖ sid
 *
 * Invariants: no text, whoever chose it, is read back as bytes or as another text. A sealed record opens under its own
 * session's id only, and every one has a key of its own.
 */

import { fromBase64url, toBase64url, utf8, type Bytes } from '../crypto/bytes.js'
import type { SessionId } from '../ids.js'
import { open, openWithEither, seal, type Secrets } from './sealing.js'
import type { SessionRecord } from './session.js'

/** To be raised with every change of {@link SessionRecord}'s form; {@link upgrade} then takes what earlier versions wrote. */
export const RECORD_VERSION = 3

/** @throws TypeError for a value that JSON would lose or change */
export const encodeRecord = (record: SessionRecord): Bytes => utf8(JSON.stringify({ version: RECORD_VERSION, record: toPlain(record) }))

/** @throws RangeError, SyntaxError or TypeError for what {@link encodeRecord} of this version has not made for this session */
export function decodeRecord (id: SessionId, encoded: Uint8Array): SessionRecord {
  const decoded: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(encoded))
  if (!isObject(decoded)) throw new RangeError('This is not a record.')
  const record = upgrade(decoded['version'], fromPlain(decoded['record']))
  if (!isRecordOf(record, id)) throw new RangeError('This is not the record of this session.')
  return record
}

export const sealRecord = (secret: Bytes, record: SessionRecord): Promise<Bytes> =>
  seal(secret, recordInfo(record.id), encodeRecord(record))

/**
 * Rejects what {@link sealRecord} has not made for this session under one of these secrets.
 * @returns also whether it was the previous one, so that the record is to be sealed again
 */
export async function openRecord (secrets: Secrets, id: SessionId, sealed: Uint8Array): Promise<{ readonly record: SessionRecord, readonly byPrevious: boolean }> {
  const { opened, byPrevious } = await openWithEither(secrets, recordInfo(id), sealed)
  return { record: decodeRecord(id, opened), byPrevious }
}

/** What tells later whether a secret is still the same: nothing, sealed. */
export const newSecretCheck = (secret: Bytes): Promise<Bytes> => seal(secret, CHECK_INFO, new Uint8Array())

/** Whether a check was made under this secret. */
export async function isSecretOf (check: Uint8Array, secret: Bytes): Promise<boolean> {
  try {
    await open(secret, CHECK_INFO, check)
    return true
  } catch {
    return false
  }
}

const CHECK_INFO = utf8('local-send/1 record secret check')
const recordInfo = (id: SessionId): Bytes => utf8(`local-send/1 record\0${id}`)

/** A value as JSON can hold it: itself where it is that already, as most of a large record is. */
function toPlain (value: unknown): unknown {
  if (typeof value === 'string') return value.startsWith('~') ? `~s${value}` : value
  if (value === null || typeof value === 'boolean' || Number.isFinite(value)) return value
  if (value instanceof Uint8Array) return `~b${toBase64url(value)}`
  if (Array.isArray(value)) {
    const plain = value.map(toPlain)
    return plain.every((member, i) => member === value[i]) ? value : plain
  }
  if (!isObject(value)) throw new TypeError(`A record cannot hold this ${typeof value}.`)
  let plain = value
  for (const name of Object.keys(value)) {
    const member = value[name] === undefined ? undefined : toPlain(value[name])
    if (member !== value[name]) plain = { ...plain, [name]: member }
  }
  return plain
}

/** What {@link toPlain} was given, made of what JSON holds, which is nobody else's. */
function fromPlain (value: unknown): unknown {
  if (typeof value === 'string') return fromText(value)
  if (Array.isArray(value)) {
    for (const [i, member] of value.entries()) value[i] = fromPlain(member)
  } else if (isObject(value)) {
    for (const name of Object.keys(value)) value[name] = fromPlain(value[name])
  }
  return value
}

function fromText (text: string): string | Bytes {
  if (!text.startsWith('~')) return text
  if (text.startsWith('~b')) return fromBase64url(text.slice(2))
  if (text.startsWith('~s~')) return text.slice(2)
  throw new RangeError('This text has a mark that no record has.')
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** A record in the form of this version. Those of version 1 are of managed sessions all. */
function upgrade (version: unknown, record: unknown): unknown {
  // One of version 2 has no fences and no turns.
  if (version === RECORD_VERSION || version === 2) return record
  if (version !== 1 || !isObject(record)) throw new RangeError(`This is not a record of version ${RECORD_VERSION}, nor of one that can be upgraded.`)
  const unsealed = (files: unknown): unknown => Array.isArray(files) ? files.map((file: unknown) => isObject(file) ? { ...file, sealedMetadata: null } : file) : files
  return { ...record, relayed: [], files: unsealed(record['files']), uploads: unsealed(record['uploads']) }
}

/** Whether this is a session's record. Its form is that of its version, and it has been sealed here. */
const isRecordOf = (value: unknown, id: SessionId): value is SessionRecord =>
  isObject(value) && value['id'] === id
