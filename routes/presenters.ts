/** Records of the service in the form in which the API shows them. */

import type { Static } from 'typebox'
import { toBase64url, toHex } from '../lib/crypto/bytes.js'
import type { Attempt as AttemptState } from '../lib/sessions/attempts.js'
import type { SessionEvent } from '../lib/sessions/events.js'
import type { StartedFile, UploadProgress } from '../lib/sessions/session-events.js'
import type { NewFile, OpenUpload, ParticipantId, SessionLimits, SessionRecord } from '../lib/sessions/session.js'
import { isOpen } from '../lib/sessions/relayed-attempts.js'
import { expiresAt, statusOf } from '../lib/sessions/session.js'
import type { AdminSession } from './admin-schemas.js'
import type { Attempt, File, Limits, SealedFile, SealedUploading, Status, Uploading } from './schemas.js'

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
  uploads: uploads.map(({ id, name, offset, size, uploadedBy }) => ({ file_id: id, ...presentName(name), offset, size, uploaded_by: uploadedBy }))
})

const presentEntry = (entry: NewFile | OpenUpload) => ({
  file_id: entry.id,
  uploaded_by: entry.uploadedBy,
  uploaded_at: time(entry.uploadedAt),
  ...(entry.maxDownloads !== null && { max_downloads: entry.maxDownloads }),
  ...(entry.endsAt !== null && { expires_at: time(entry.endsAt) }),
  ...(entry.receivedBy !== undefined && { received: entry.receivedBy.length })
})

export function presentFile (file: NewFile): Static<typeof File> | Static<typeof SealedFile> {
  const { name, contentType, sha256, sealedMetadata, size } = file
  const ready = { ...presentEntry(file), state: 'ready' as const, size, offset: size }
  return sealedMetadata === null
    ? { ...ready, filename: name ?? '', content_type: contentType, sha256: sha256 ?? '' }
    : { ...ready, metadata: sealedMetadata }
}

/** @param received - bytes that have arrived, those that are being written included */
export function presentUpload (upload: OpenUpload, received: number): Static<typeof Uploading> | Static<typeof SealedUploading> {
  const { name, declaredType, sealedMetadata, length } = upload
  const coming = { ...presentEntry(upload), state: 'uploading' as const, size: length, offset: received }
  return sealedMetadata === null
    ? { ...coming, filename: name ?? '', content_type: declaredType }
    : { ...coming, metadata: sealedMetadata }
}

const presentName = (filename: string | null) => filename === null ? {} : { filename }

/** @param viewer - each side is told what the other has said */
export function presentAttempt ({ id, status, expiresAt: end, byJoiner, byCreator }: AttemptState, viewer: 'creator' | 'joiner', session: SessionRecord): Static<typeof Attempt> {
  const { share, confirmation } = viewer === 'creator' ? byJoiner : byCreator
  const wrappedKey = viewer === 'joiner' ? byCreator.wrappedKey : undefined
  return {
    join_id: id,
    status,
    ...(share !== undefined && { public_key: toHex(share) }),
    ...(confirmation !== undefined && { confirmation: toHex(confirmation) }),
    ...(wrappedKey !== undefined && { wrapped_key: toBase64url(wrappedKey) }),
    expires_at: time(end ?? expiresAt(session))
  }
}

const presentParticipant = (id: ParticipantId) => id === 'creator' ? { role: 'creator' } : { role: 'joiner', join_id: id }

/** The data of an event; its type stands beside it. */
export function presentEvent (event: SessionEvent): Readonly<Record<string, string | number | null>> {
  switch (event.type) {
    case 'join.requested':
    case 'join.answered':
    case 'join.confirmed':
    case 'join.joined': return { join_id: event.joinId }
    case 'join.refused': return { join_id: event.joinId, reason: event.reason }
    case 'file.started': return { file_id: event.fileId, ...presentName(event.filename), size: event.size, uploaded_by: event.uploadedBy }
    case 'file.progress': return { file_id: event.fileId, offset: event.offset, size: event.size }
    case 'file.ready': return { file_id: event.fileId, ...presentName(event.filename), size: event.size, ...(event.sha256 !== null && { sha256: event.sha256 }), uploaded_by: event.uploadedBy }
    case 'file.received': return { file_id: event.fileId, ...presentName(event.filename), ...presentParticipant(event.participant) }
    case 'file.deleted': return { file_id: event.fileId, ...presentName(event.filename) }
    case 'participant.left': return presentParticipant(event.participant)
    case 'session.locked':
    case 'session.closed': return {}
  }
}

/** A session as its operator sees it. */
export const presentAdminSession = (session: SessionRecord, bytes: number, transfers: number): Static<typeof AdminSession> => ({
  session_id: session.id,
  kind: session.kind,
  status: statusOf(session),
  created_at: time(session.createdAt),
  last_used_at: time(session.lastUsedAt),
  expires_at: time(expiresAt(session)),
  joiners: session.joiners.length,
  max_joiners: session.limits.maxJoiners,
  attempts_under_way: session.pending.length + session.relayed.filter(isOpen).length,
  wrong_codes: session.wrongCodes,
  wrong_passwords: session.wrongPasswords,
  max_join_attempts: session.limits.maxJoinAttempts,
  files: session.files.length,
  uploads: session.uploads.length,
  bytes,
  transfers
})
