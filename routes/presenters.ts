/** Records of the service in the form in which the API shows them. */

import type { Static } from 'typebox'
import type { NewFile, SessionLimits, SessionRecord } from '../lib/sessions/session.js'
import { expiresAt, statusOf } from '../lib/sessions/session.js'
import type { File, Limits, Status } from './schemas.js'

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

export const presentFile = (file: NewFile): Static<typeof File> => ({
  file_id: file.id,
  filename: file.name,
  content_type: file.contentType,
  size: file.size,
  sha256: file.sha256,
  uploaded_by: file.uploadedBy,
  uploaded_at: time(file.uploadedAt),
  state: 'ready',
  offset: file.size
})
