/** The forms of what the operator asks and is answered. Nothing secret is in them: no token, verification code, key, or name of a file. */

import { Type } from 'typebox'
import { SESSION_ID_PATTERN, type SessionId } from '../lib/ids.js'
import { KINDS, STATUSES } from '../lib/sessions/census.js'

const Id = Type.Unsafe<SessionId>(Type.String({ pattern: SESSION_ID_PATTERN, description: 'Session id, 8 lowercase hex digits' }))
const Time = Type.String({ format: 'date-time', description: 'RFC 3339, UTC' })
const Count = Type.Integer({ minimum: 0 })
const Bytes = Type.Integer({ minimum: 0, description: 'Bytes' })
const ByDirection = Type.Object({ upload: Count, download: Count })

export const AdminSessionParams = Type.Object({ id: Id })

export const AdminPageQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'Sessions of one answer at most' })),
  cursor: Type.Optional(Type.Unsafe<SessionId>(Type.String({ pattern: SESSION_ID_PATTERN, description: 'The next_cursor of the page before' }))),
  status: Type.Optional(Type.Enum([...STATUSES], { description: 'Only sessions that are so' }))
}, { additionalProperties: false })

export const AdminSession = Type.Object({
  session_id: Id,
  kind: Type.Enum([...KINDS]),
  status: Type.Enum([...STATUSES]),
  created_at: Time,
  last_used_at: Time,
  expires_at: Time,
  joiners: Count,
  max_joiners: Count,
  attempts_under_way: Type.Integer({ minimum: 0, description: 'Join attempts that are not decided' }),
  wrong_codes: Type.Integer({ minimum: 0, description: 'Failed joins by a wrong verification code' }),
  wrong_passwords: Type.Integer({ minimum: 0, description: 'Failed joins behind a right code' }),
  max_join_attempts: Type.Integer({ minimum: 0, description: 'How many of both lock the session' }),
  files: Count,
  uploads: Type.Integer({ minimum: 0, description: 'Resumable uploads that are not complete' }),
  bytes: Type.Integer({ minimum: 0, description: 'Bytes stored' }),
  transfers: Type.Integer({ minimum: 0, description: 'Uploads and downloads under way at this moment' })
})

export const AdminSessions = Type.Object({
  sessions: Type.Array(AdminSession),
  next_cursor: Type.Union([Id, Type.Null()], { description: 'For the next page; null on the last one' })
}, { description: 'Sessions in the order of their ids' })

const ByStatus = Type.Object({ created: Count, joined: Count, locked: Count })

export const Totals = Type.Object({
  version: Type.String(),
  uptime: Type.Number({ description: 'Seconds since the process started' }),
  draining: Type.Boolean(),
  sessions: Type.Object({ managed: ByStatus, 'end-to-end': ByStatus }),
  max_sessions: Count,
  files: Count,
  uploads: Type.Integer({ minimum: 0, description: 'Resumable uploads that are not complete' }),
  stored_bytes: Bytes,
  max_stored_bytes: Type.Union([Bytes, Type.Null()], { description: 'MAX_STORAGE; null: only the disk limits it' }),
  disk_free_bytes: Type.Union([Bytes, Type.Null()], { description: 'null where that cannot be told: object storage' }),
  transfers: ByDirection,
  transferred_bytes: ByDirection,
  event_streams: Count
}, { description: 'What there is now; transferred_bytes since the start' })

export const Drain = Type.Object({
  draining: Type.Boolean(),
  sessions: Type.Integer({ minimum: 0, description: 'Sessions that there still are' }),
  transfers: Type.Integer({ minimum: 0, description: 'Transfers under way' })
}, { description: 'Whether new sessions are refused, and what goes on' })
