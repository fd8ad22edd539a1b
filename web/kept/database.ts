/** What the page keeps in the browser for a transfer to be gone on with after its tab has gone: see kept-session.ts. */

import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import type { Bytes } from '../../lib/crypto/bytes.js'
import type { Role } from '../../client/session.js'
import type { SessionId } from '../../lib/ids.js'

/** A session, as it is kept. */
export interface KeptRecord {
  readonly sessionId: SessionId
  readonly role: Role
  /** Milliseconds since the epoch: when it was written last. */
  readonly written: number
  /** Its state, sealed under its passphrase. */
  readonly sealed: Bytes
}

interface Schema extends DBSchema {
  sessions: { readonly key: [SessionId, Role], readonly value: KeptRecord }
}

export type Database = IDBPDatabase<Schema>

let opened: Promise<Database> | undefined

/** The database of this origin. @throws what the browser says where there is none, as in some private windows */
export function database (): Promise<Database> {
  opened ??= openDB<Schema>('local-send', 1, {
    upgrade (db) {
      db.createObjectStore('sessions', { keyPath: ['sessionId', 'role'] })
    }
  }).catch((error: unknown) => {
    opened = undefined
    throw error
  })
  return opened
}
