/** What the page keeps in the browser for a transfer to be gone on with after its tab has gone: see kept-session.ts. */

import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import type { Bytes } from '../../lib/crypto/bytes.js'
import type { Role } from '../../client/session.js'
import type { FileId, SessionId } from '../../lib/ids.js'
import type { TabFiles } from './tab-folder.js'

/** Which session, and on which side of it. */
export interface KeptName {
  readonly sessionId: SessionId
  readonly role: Role
}

/** A session, as it is kept. */
export interface KeptRecord extends KeptName {
  /** Milliseconds since the epoch: when it was written last. */
  readonly written: number
  /** Its state, sealed under its passphrase. */
  readonly sealed: Bytes
  /** What is of use to nobody without it, and goes with it where it is forgotten unopened. */
  readonly files?: TabFiles | undefined
}

/** Of a send journal: the line with this index. */
export interface KeptLine extends KeptName {
  readonly index: number
  readonly sealed: Bytes
}

/** Of a send journal: the notes of the chunks of one piece, the first of which has this index. */
export interface KeptNotes extends KeptName {
  readonly fileId: FileId
  readonly first: number
  readonly sealed: Bytes
}

/** Every key begins with what names the session, so that all that belongs to one is a range of each store. */
interface Schema extends DBSchema {
  sessions: { readonly key: [SessionId, Role], readonly value: KeptRecord }
  lines: { readonly key: [SessionId, Role, number], readonly value: KeptLine }
  notes: { readonly key: [SessionId, Role, FileId, number], readonly value: KeptNotes }
}

/** An array is greater than whatever else a key may go on with (https://w3c.github.io/IndexedDB/#key-construct). */
const END: IDBValidKey = []

export type Database = IDBPDatabase<Schema>

let opened: Promise<Database> | undefined

/** The database of this origin. @throws what the browser says where there is none, as in some private windows */
export function database (): Promise<Database> {
  opened ??= openDB<Schema>('local-send', 1, {
    upgrade (db) {
      db.createObjectStore('sessions', { keyPath: ['sessionId', 'role'] })
      db.createObjectStore('lines', { keyPath: ['sessionId', 'role', 'index'] })
      db.createObjectStore('notes', { keyPath: ['sessionId', 'role', 'fileId', 'first'] })
    },
    terminated () { opened = undefined }
  }).catch((error: unknown) => {
    opened = undefined
    throw error
  })
  return opened
}

/** The keys of what belongs to a session, or to one of its files. */
export function rangeOf ({ sessionId, role }: KeptName, ...file: readonly [] | readonly [FileId]): IDBKeyRange {
  const beginning = [sessionId, role, ...file]
  return IDBKeyRange.bound(beginning, [...beginning, END])
}

/** Those of them that end with this number or a greater one. */
export function rangeFrom ({ sessionId, role }: KeptName, ...from: readonly [number] | readonly [FileId, number]): IDBKeyRange {
  return IDBKeyRange.bound([sessionId, role, ...from], [sessionId, role, ...from.slice(0, -1), END])
}
