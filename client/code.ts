/**
 * Codes, which people say to each other, and links (protocol local-send/1, section 2).
 *
 *     code = sid "-" 6 digits [ "-" word "-" word "-" word … ]      at least three words of BIP 39's English list
 *     link = server "/#" code
 *
 * The words with their hyphens are a generated password, 11 bits each; one that somebody chose is never part of a code.
 * Invariant: no failure says what was typed, since it may be the password.
 */

import { wordlist } from '@scure/bip39/wordlists/english.js'
import { randomBytes, type RandomSource } from '../lib/crypto/bytes.js'
import { isSessionId, type SessionId } from '../lib/ids.js'
import { ClientError } from './errors.js'

/** What a code says. */
export interface Code {
  readonly sessionId: SessionId
  /** 6 digits. */
  readonly verificationCode: string
  /** The generated password; `undefined` if it has to be asked for. */
  readonly passphrase: string | undefined
}

/** A code, and the server if it came as a link. */
export interface CodeOrLink extends Code {
  /** Origin and base path, without a slash at the end. */
  readonly server: string | undefined
}

/** Words of a generated password at least. */
export const MIN_WORDS = 3

const FORM = /^([0-9a-f]{4})-?([0-9a-f]{4})-(\d{3})-?(\d{3})(?:-(.+))?$/

/**
 * What somebody typed, read kindly: in any case, with spaces or any dash for hyphens, with the id and the digits in two groups.
 *
 * @throws ClientError CODE_INVALID
 */
export function parseCode (text: string): Code {
  const hyphenated = text.toLowerCase().replace(/[\s\p{Pd}]+/gu, '-').replace(/^-|-$/g, '')
  const [, first = '', second = '', three = '', more = '', passphrase] = FORM.exec(hyphenated) ?? []
  const sessionId = `${first}${second}`
  if (!isSessionId(sessionId)) throw new ClientError('CODE_INVALID')
  if (passphrase !== undefined) checkWords(passphrase.split('-'))
  return { sessionId, verificationCode: `${three}${more}`, passphrase }
}

function checkWords (words: readonly string[]): void {
  const unknown = words.findIndex((word) => !wordlist.includes(word))
  if (unknown !== -1) throw new ClientError('CODE_INVALID', { detail: `Its word ${unknown + 1} is none of the list's: it may be mistyped.` })
  if (words.length < MIN_WORDS) throw new ClientError('CODE_INVALID', { detail: `It ends with ${MIN_WORDS} words at least, or with none.` })
}

/**
 * A code, or the link that holds one.
 *
 * @throws ClientError CODE_INVALID
 */
export function parseCodeOrLink (text: string): CodeOrLink {
  const trimmed = text.trim()
  if (!/^https?:\/\//i.test(trimmed)) return { ...parseCode(trimmed), server: undefined }
  const { server, fragment } = partsOf(trimmed)
  return { ...parseCode(fragment), server }
}

function partsOf (link: string): { readonly server: string, readonly fragment: string } {
  try {
    const { origin, pathname, hash } = new URL(link)
    return { server: `${origin}${pathname}`.replace(/(?<!\/)\/+$/, ''), fragment: decodeURIComponent(hash.slice(1)) }
  } catch {
    // What was caught holds the link, and with it the password.
    throw new ClientError('CODE_INVALID')
  }
}

/** The code of a session. `passphrase` only if it was generated: a password that somebody chose has no place in a code. */
export const formatCode = ({ sessionId, verificationCode, passphrase }: Omit<Code, 'passphrase'> & { readonly passphrase?: string | undefined }): string =>
  [sessionId, verificationCode, ...(passphrase === undefined ? [] : [passphrase])].join('-')

/** The link that holds a code, behind the `#` that no request carries. */
export const linkTo = (server: string, code: string): string => `${server}/#${code}`

/**
 * A password to say aloud: words drawn uniformly, 11 bits each.
 *
 * @param words - at least 3
 * @throws RangeError for fewer
 */
export function generatePassphrase (words = MIN_WORDS, random?: RandomSource): string {
  if (!Number.isInteger(words) || words < MIN_WORDS) throw new RangeError(`A passphrase has at least ${MIN_WORDS} words.`)
  const view = new DataView(randomBytes(2 * words, random).buffer)
  // 2^16 is a multiple of the 2048 words: what is left of 16 bits is uniform.
  return Array.from({ length: words }, (_, i) => wordlist[view.getUint16(2 * i) % wordlist.length]).join('-')
}

/** The words of the list that begin like this; none for an empty beginning. */
export const completeWord = (prefix: string): readonly string[] =>
  prefix === '' ? [] : wordlist.filter((word) => word.startsWith(prefix.toLowerCase()))
