import { setTimeout as delay } from 'node:timers/promises'
import type { Bytes } from '../crypto/bytes.js'
import { LocalSendError } from '../errors.js'
import { findEntry, isUpload, offsetOf } from '../sessions/session-files.js'
import type { SessionRecord } from '../sessions/session.js'
import { readPart, readParts, type FileSource } from './read-file.js'
import type { UploadActivity } from './upload-activity.js'

/** Milliseconds in which what is written is gathered: each look at it opens its file. */
const GATHERING = 10
/** Milliseconds between two looks where this process hears of no change: another one may receive the upload. */
const LOOK_EVERY = 1000

interface Following {
  readonly source: FileSource
  readonly activity: UploadActivity
  /** The session as it is now. */
  readonly look: () => Promise<SessionRecord>
  /** Milliseconds for which the sender may send nothing. */
  readonly patience: number
  readonly signal: AbortSignal
  /** Where another process may be writing: wakes the activity when that one tells of it. Gives what ends that. */
  readonly watch?: (() => Promise<() => void>) | undefined
}

/**
 * Streams a file while it is still being uploaded: what is stored, then chunk by chunk what comes. The last chunk comes only
 * when the upload is complete and its digest was found right, so whoever has read to the end has the whole file.
 *
 * @param range - `end` is `null` while the length of the file is not known
 * @throws LocalSendError UPLOAD_STALLED, also where bytes that were read ahead did not stay; FILE_NOT_FOUND if the upload was given up; CONTAINER_DAMAGED
 */
export async function * followUpload (following: Following, range: { start: number, end: number | null }): AsyncGenerator<Bytes, void> {
  const unwatch = await following.watch?.()
  try {
    yield * follow(following, range)
  } finally {
    unwatch?.()
  }
}

async function * follow ({ source, activity, look, patience, signal }: Following, range: { start: number, end: number | null }): AsyncGenerator<Bytes, void> {
  const { fileId } = source
  const end = range.end ?? Number.POSITIVE_INFINITY
  let discards = 0
  let at = range.start
  // Whether bytes were yielded that no part of the record holds yet.
  let ahead = false
  // How far the upload had come, and since when.
  let seen = { bytes: 0, at: performance.now() }
  while (at < end) {
    const changed = activity.next(fileId, Math.min(LOOK_EVERY, patience), signal)
    changed.catch(() => {})
    const entry = findEntry(await look(), fileId)
    if (entry === undefined) throw new LocalSendError('FILE_NOT_FOUND')
    const stored = offsetOf(entry)
    if (ahead && activity.discards(fileId) !== discards) throw new LocalSendError('UPLOAD_STALLED', { cause: new Error('what was read ahead has been thrown away') })
    discards = activity.discards(fileId)
    if (at < stored || (stored === 0 && !isUpload(entry))) {
      const until = Math.min(stored, end)
      yield * readParts({ ...source, fences: entry.fences }, entry.parts, { start: at, end: until })
      at = until
    }
    if (at >= stored) ahead = at > stored
    if (!isUpload(entry)) return
    const open = activity.openPart(fileId)
    const until = open?.part === entry.parts.length ? Math.min(stored + open.bytes, end) : stored
    if (at >= stored && at < until) {
      ahead = true
      yield * readPart({ ...source, fences: open?.fence === undefined ? undefined : [...entry.fences ?? [], open.fence] }, entry.parts.length, null, { start: at - stored, end: until - stored })
      at = until
    } else if (at < end) {
      if (until > seen.bytes) seen = { bytes: until, at: performance.now() }
      else if (performance.now() - seen.at > patience) throw new LocalSendError('UPLOAD_STALLED', { cause: new Error('nothing has come for too long') })
      await changed
      await delay(GATHERING)
    }
  }
}
