/** Records of the service in the form in which the API shows them. */

import type { Static } from 'typebox'
import type { SessionEvent } from '../lib/sessions/events.js'
import type { StartedFile, UploadProgress } from '../lib/sessions/session-events.js'
import type { NewFile, OpenUpload, ParticipantId, SessionLimits, SessionRecord } from '../lib/sessions/session.js'
import { expiresAt, statusOf } from '../lib/sessions/session.js'
import type { File, Limits, Status, Uploading } from './schemas.js'

const time = (milliseconds: number): string => new Date(milliseconds).toISOString()

export const presentLimits = (limits: SessionLimits): Static<typeof Limits> => ({
  max_file_size: limits.maxFileSize,
  max_session_size: limits.maxSessionSize,
  max_files: limits.maxFiles,
  max_joiners: limits.maxJoiners,
  max_downloads: limits.maxDownloads
})

/** What create, join and status have in common. */
export const presentSession = (session: SessionRecord): Pick<Static<typeof Status>, 'session_id' | 'kind' | 'expires_at' | 'limits'> => ({
  session_id: session.id,
  kind: session.kind,
  expires_at: time(expiresAt(session)),
  limits: presentLimits(session.limits)
})

export const presentStatus = (session: SessionRecord, role: 'creator' | 'joiner', uploads: ReadonlyArray<StartedFile & UploadProgress>): Static<typeof Status> => ({
  ...presentSession(session),
  status: statusOf(session),
  role,
  participants: [
    ...(session.creatorTokenHash === null ? [] : [{ role: 'creator' as const, joined_at: time(session.createdAt) }]),
    ...session.joiners.map(({ joinedAt }) => ({ role: 'joiner' as const, joined_at: time(joinedAt) }))
  ],
  uploads: uploads.map(({ id, name, offset, size, uploadedBy }) => ({ file_id: id, filename: name, offset, size, uploaded_by: uploadedBy }))
})

const presentEntry = (entry: NewFile | OpenUpload) => ({
  file_id: entry.id,
  filename: entry.name,
  uploaded_by: entry.uploadedBy,
  uploaded_at: time(entry.uploadedAt),
  ...(entry.maxDownloads !== null && { max_downloads: entry.maxDownloads }),
  ...(entry.endsAt !== null && { expires_at: time(entry.endsAt) })
})

export const presentFile = (file: NewFile): Static<typeof File> => ({
  ...presentEntry(file),
  content_type: file.contentType,
  state: 'ready',
  size: file.size,
  sha256: file.sha256,
  offset: file.size,
  ...(file.receivedBy !== undefined && { received: file.receivedBy.length })
})

/** @param received - bytes that have arrived, those that are being written included */
export const presentUpload = (upload: OpenUpload, received: number): Static<typeof Uploading> => ({
  ...presentEntry(upload),
  content_type: upload.declaredType,
  state: 'uploading',
  size: upload.length,
  offset: received
})

const presentParticipant = (id: ParticipantId) => id === 'creator' ? { role: 'creator' } : { role: 'joiner', join_id: id }

/** The data of an event; its type stands beside it. */
export function presentEvent (event: SessionEvent): Readonly<Record<string, string | number | null>> {
  switch (event.type) {
    case 'join.requested':
    case 'join.joined': return { join_id: event.joinId }
    case 'join.refused': return { join_id: event.joinId, reason: event.reason }
    case 'file.started': return { file_id: event.fileId, filename: event.filename, size: event.size, uploaded_by: event.uploadedBy }
    case 'file.progress': return { file_id: event.fileId, offset: event.offset, size: event.size }
    case 'file.ready': return { file_id: event.fileId, filename: event.filename, size: event.size, sha256: event.sha256, uploaded_by: event.uploadedBy }
    case 'file.received': return { file_id: event.fileId, filename: event.filename, ...presentParticipant(event.participant) }
    case 'file.deleted': return { file_id: event.fileId, filename: event.filename }
    case 'participant.left': return presentParticipant(event.participant)
    case 'session.locked':
    case 'session.closed': return {}
  }
}
