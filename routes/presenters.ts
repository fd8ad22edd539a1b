/** Records of the service in the form in which the API shows them. */

import type { Static } from 'typebox'
import type { NewFile, OpenUpload, SessionLimits, SessionRecord } from '../lib/sessions/session.js'
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

export const presentStatus = (session: SessionRecord, role: 'creator' | 'joiner'): Static<typeof Status> => ({
  ...presentSession(session),
  status: statusOf(session),
  role,
  participants: [
    ...(session.creatorTokenHash === null ? [] : [{ role: 'creator' as const, joined_at: time(session.createdAt) }]),
    ...session.joiners.map(({ joinedAt }) => ({ role: 'joiner' as const, joined_at: time(joinedAt) }))
  ]
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
  offset: file.size
})

/** @param received - bytes that have arrived, those that are being written included */
export const presentUpload = (upload: OpenUpload, received: number): Static<typeof Uploading> => ({
  ...presentEntry(upload),
  content_type: upload.declaredType,
  state: 'uploading',
  size: upload.length,
  offset: received
})
