/** What the tests of lib/sessions and lib/files share: records that no password had to be stretched for. */

import { randomBytes } from '../../lib/crypto/bytes.js'
import type { FileId, JoinId } from '../../lib/ids.js'
import { newFileId, newJoinId, newSessionId } from '../../lib/new-ids.js'
import type { SessionLimits, SessionRecord, StoredFile } from '../../lib/sessions/session.js'

export const NOW = Date.UTC(2024, 0, 1)
export const HOUR = 3_600_000
export const DAY = 24 * HOUR

export const LIMITS: SessionLimits = {
  maxFileSize: 1000,
  maxSessionSize: 3000,
  maxFiles: 3,
  maxJoiners: 1,
  maxJoinAttempts: 5,
  maxDownloads: null
}

type Changes = Partial<Omit<SessionRecord, 'limits'>> & { readonly limits?: Partial<SessionLimits> }

/** A session of one hour without use and a day in all, created at {@link NOW}. */
export const newRecord = ({ limits, ...changes }: Changes = {}): SessionRecord => ({
  id: newSessionId(),
  kind: 'managed',
  createdAt: NOW,
  lastUsedAt: NOW,
  idleTimeout: HOUR,
  endsAt: NOW + DAY,
  verificationCode: '123456',
  creatorTokenHash: 'ab'.repeat(32),
  joiners: [],
  pending: [],
  relayed: [],
  wrongCodes: 0,
  wrongPasswords: 0,
  files: [],
  uploads: [],
  filesAdded: 0,
  secrets: {
    contentKey: randomBytes(32),
    element: { w: randomBytes(32), wM: randomBytes(65), wN: randomBytes(65) },
    firstShare: { scalar: randomBytes(32), share: randomBytes(65) }
  },
  ...changes,
  limits: { ...LIMITS, ...limits }
})

export const newJoiner = (id: JoinId = newJoinId()): SessionRecord['joiners'][number] => ({ id, tokenHash: id.repeat(4), joinedAt: NOW })

export const newFile = (size = 10, id: FileId = newFileId()): StoredFile => ({
  id,
  number: 1,
  name: 'file.bin',
  contentType: 'application/octet-stream',
  size,
  sha256: '0'.repeat(64),
  uploadedBy: 'creator',
  uploaderId: 'creator',
  uploadedAt: NOW,
  parts: [size],
  downloads: 0,
  maxDownloads: null,
  endsAt: null,
  uploadMetadata: null,
  sealedMetadata: null
})

/** The same numbers in [0, 1) every time (mulberry32), so that a failing interleaving can be run again. */
export const seededRandom = (seed: number): () => number => () => {
  seed = (seed + 0x6D2B79F5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}
