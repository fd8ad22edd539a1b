/** Names as their senders gave them, on their way to becoming paths. Every one is taken as hostile (protocol local-send/1, section 5). */

import { extname } from 'node:path'
import { safeFileName } from '../../lib/files/names.js'

/** Folders in folders that are kept as they are; what lies deeper is put into the deepest of them. */
const MAX_DEPTH = 64
/** What most file systems allow for one name, in bytes. */
const MAX_NAME = 255

/**
 * The folders and the name that a relative path stands for, each safe on every usual system: no `..`, no root, no drive, no backslash,
 * no reserved name, no control or bidirectional character. At least one component.
 */
export function safePath (name: string): readonly [string, ...string[]] {
  const components = name.split('/').filter((component) => !/^\s*\.{0,2}\s*$/u.test(component)).map(safeComponent)
  const file = components.pop()
  return file === undefined ? [safeFileName(undefined)] : joined(components.slice(0, MAX_DEPTH), file)
}

// A tuple's rest stands at its end only where the compiler can see that there is a first element.
function joined ([first, ...others]: readonly string[], file: string): readonly [string, ...string[]] {
  return first === undefined ? [file] : [first, ...others, file]
}

// A backslash divides on some systems and is an ordinary character on others: here it is neither.
const safeComponent = (component: string): string => safeFileName(component.replaceAll('\\', '_'))

/** A safe name with a number behind its stem: `report (2).pdf`. */
export function numberedName (name: string, number: number): string {
  const extension = byteLength(extname(name)) <= 32 ? extname(name) : ''
  const end = ` (${number})${extension}`
  return cutToBytes(name.slice(0, name.length - extension.length), MAX_NAME - byteLength(end)) + end
}

/** The name, hidden, of a file that is to have another one when it is whole. */
export const partialName = (name: string): string => `.${cutToBytes(name, 200)}.${crypto.randomUUID().slice(0, 8)}.part`

const byteLength = (text: string): number => Buffer.byteLength(text)

/** As many whole characters as there is room for. */
const cutToBytes = (text: string, bytes: number): string =>
  new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, bytes)).replace(/\uFFFD+$/, '')
