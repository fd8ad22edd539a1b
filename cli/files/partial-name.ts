/** Names beside the one that a file is to have. */

import { extname } from 'node:path'

/** What most file systems allow for one name, in bytes. */
const MAX_NAME = 255

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
