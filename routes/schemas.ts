/** The forms of requests and answers (protocol local-send/1, section 4): types, validation and OpenAPI from one place. */

import { Type, type TSchema } from 'typebox'
import { ERRORS, type ErrorCode } from '../lib/errors.js'
import * as ids from '../lib/ids.js'
import { ComeAgain } from './answer-headers.js'

const strict = { additionalProperties: false }

const SessionId = Type.Unsafe<ids.SessionId>(Type.String({ pattern: ids.SESSION_ID_PATTERN, description: 'Session id, 8 lowercase hex digits' }))
const JoinId = Type.Unsafe<ids.JoinId>(Type.String({ pattern: ids.JOIN_ID_PATTERN, description: 'Id of a join attempt, 16 lowercase hex digits' }))
const FileId = Type.Unsafe<ids.FileId>(Type.String({ pattern: ids.FILE_ID_PATTERN, description: 'File id, 32 lowercase hex digits' }))
const VerificationCode = Type.String({ pattern: '^[0-9]{6}$', description: 'Admits a joiner to an attempt; it is not the password', examples: ['123456'] })
const PublicKey = Type.String({ pattern: '^04[0-9a-f]{128}$', description: 'SPAKE2 share: an uncompressed point of P-256, 130 lowercase hex digits' })
const ReceivedPublicKey = Type.String({ pattern: '^[0-9a-f]{130}$', description: 'SPAKE2 share: an uncompressed point of P-256, 130 lowercase hex digits' })
const Confirmation = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SPAKE2 confirmation, 64 lowercase hex digits' })
const WrappedKey = Type.String({ pattern: '^[A-Za-z0-9_-]{80}$', description: 'The content key, sealed for the joiner: 60 bytes in base64url' })
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the file, as sha256sum prints it' })
const Token = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'Bearer token; shown once' })
const Time = Type.String({ format: 'date-time', description: 'RFC 3339, UTC' })
const Kind = Type.Enum(['managed', 'end-to-end'])
const SealedMetadata = Type.String({ pattern: '^[A-Za-z0-9_-]{827,5606}$', description: 'Name, size, type and time of the file, sealed by its sender for the participants: base64url' })
const Bytes = Type.Integer({ minimum: 0, description: 'Bytes' })
const Password = Type.String({
  minLength: 1,
  maxLength: 1024,
  format: 'password',
  description: 'In a managed session only: 8 to 1024 bytes of UTF-8, no control characters',
  examples: ['correct horse battery staple']
})

export const SessionParams = Type.Object({ id: SessionId })
export const JoinParams = Type.Object({ id: SessionId, join_id: JoinId })
export const FileParams = Type.Object({ id: SessionId, file_id: FileId })

export const Limits = Type.Object({
  max_file_size: Bytes,
  max_session_size: Bytes,
  max_files: Type.Integer(),
  max_joiners: Type.Integer(),
  max_downloads: Type.Union([Type.Integer(), Type.Null()], { description: 'Downloads of each file; null: any number' })
}, { description: 'What this session accepts' })

export const CreateBody = Type.Object({
  kind: Type.Optional(Type.Enum(['managed', 'end-to-end'], { description: 'Who encrypts: the server, which then has to know the password, or the participants. managed unless set' })),
  password: Type.Optional(Password),
  max_joiners: Type.Optional(Type.Integer({ minimum: 1, description: 'How many may join; 1 unless set' })),
  expires_in: Type.Optional(Type.Integer({ minimum: 1, description: 'Seconds until the session ends at the latest', examples: [3600] })),
  max_downloads: Type.Optional(Type.Integer({ minimum: 1, description: 'How often each file may be downloaded' }))
}, { ...strict, examples: [{ password: 'correct horse battery staple' }, { kind: 'end-to-end' }] })

export const Created = Type.Object({
  session_id: SessionId,
  verification_code: VerificationCode,
  public_key: Type.Optional(PublicKey),
  status: Type.Literal('created'),
  kind: Kind,
  role: Type.Literal('creator'),
  token: Token,
  expires_at: Time,
  limits: Limits,
  password_advice: Type.Optional(Type.String({ description: 'What would make the password stronger, if it is weak' }))
}, { description: 'The session' })

export const JoinBody = Type.Object({
  verification_code: VerificationCode,
  password: Type.Optional(Password),
  public_key: Type.Optional(ReceivedPublicKey)
}, {
  ...strict,
  description: 'With `password`, with both, or with `public_key` alone: SPAKE2, where the password stays with the joiner.',
  examples: [{ verification_code: '123456', password: 'correct horse battery staple' }]
})

export const Joined = Type.Object({
  session_id: SessionId,
  status: Type.Literal('joined'),
  kind: Kind,
  role: Type.Literal('joiner'),
  token: Token,
  expires_at: Time,
  limits: Limits,
  public_key: Type.Optional(PublicKey),
  confirmation: Type.Optional(Confirmation)
}, { description: 'Joined: the token opens the session' })

export const Pending = Type.Object({
  join_id: JoinId,
  status: Type.Literal('pending'),
  kind: Kind,
  token: Token,
  public_key: Type.Optional(PublicKey)
}, { description: 'An attempt, which the token opens. In a managed session with the server\'s share; in an end-to-end one its creator answers: ask for the attempt' })

export const ConfirmBody = Type.Object({ confirmation: Confirmation }, strict)
export const Confirmed = Type.Object({ status: Type.Literal('joined'), confirmation: Confirmation }, { description: 'Joined' })
export const Relayed = Type.Object({ status: Type.Literal('confirmed') }, { description: 'Handed on: the creator decides' })

export const RespondBody = Type.Object({ public_key: ReceivedPublicKey }, strict)
export const AcceptBody = Type.Object({ confirmation: Confirmation, wrapped_key: WrappedKey }, strict)
export const Step = Type.Object({ status: Type.Enum(['answered', 'joined', 'rejected']) }, { description: 'Done' })

const AttemptStatus = Type.Enum(['pending', 'answered', 'confirmed', 'joined', 'rejected', 'expired'])

export const AttemptQuery = Type.Object({
  wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 60, description: 'Seconds to wait for another status than `after`; at most IDLE_TIMEOUT' })),
  after: Type.Optional(AttemptStatus)
}, strict)

export const Attempt = Type.Object({
  join_id: JoinId,
  status: AttemptStatus,
  public_key: Type.Optional(PublicKey),
  confirmation: Type.Optional(Confirmation),
  wrapped_key: Type.Optional(WrappedKey),
  expires_at: Time
}, { description: 'An attempt. Share and confirmation are the other side\'s; a joiner who was accepted finds the content key, wrapped for him' })

export const Attempts = Type.Object({ joins: Type.Array(Attempt) }, { description: 'The attempts that are open, have succeeded, or ended a short while ago' })
export const Unlocked = Type.Object({ verification_code: VerificationCode }, { description: 'The new code' })
export const Closed = Type.Object({ status: Type.Literal('closed') }, { description: 'The session is over' })

export const Status = Type.Object({
  session_id: SessionId,
  status: Type.Enum(['created', 'joined', 'locked']),
  kind: Kind,
  role: Type.Enum(['creator', 'joiner']),
  participants: Type.Array(Type.Object({
    role: Type.Enum(['creator', 'joiner']),
    joined_at: Time
  })),
  uploads: Type.Array(Type.Object({
    file_id: FileId,
    filename: Type.Optional(Type.String()),
    offset: Type.Integer({ minimum: 0, description: 'Bytes received, those being written included' }),
    size: Type.Union([Bytes, Type.Null()], { description: 'Bytes of the whole file; null while nobody knows' }),
    uploaded_by: Type.Enum(['creator', 'joiner'])
  }), { description: 'Uploads under way' }),
  expires_at: Time,
  limits: Limits
}, { description: 'The state of the session' })

const FileCommon = {
  file_id: FileId,
  uploaded_by: Type.Enum(['creator', 'joiner']),
  uploaded_at: Time,
  max_downloads: Type.Optional(Type.Integer({ description: 'How often it may be downloaded, where that is limited' })),
  expires_at: Type.Optional(Time),
  offset: Type.Integer({ minimum: 0, description: 'Bytes received' }),
  received: Type.Optional(Type.Integer({ description: 'How many participants have said that they have it, if any' }))
}

const Named = {
  filename: Type.String(),
  content_type: Type.String({ description: 'As found in the content; while it is uploading, as its sender says' })
}

const Sealed = { metadata: SealedMetadata }

const Ready = {
  ...FileCommon,
  state: Type.Literal('ready'),
  size: Bytes
}

const Coming = {
  ...FileCommon,
  state: Type.Literal('uploading'),
  size: Type.Union([Bytes, Type.Null()], { description: 'Bytes of the whole file; null while its sender does not know' })
}

export const File = Type.Object({ ...Ready, ...Named, sha256: Sha256 }, { description: 'A file that is whole' })
export const SealedFile = Type.Object({ ...Ready, ...Sealed }, { description: 'A file of an end-to-end session that is whole; size and offset are those of the container' })
export const Uploading = Type.Object({ ...Coming, ...Named }, { description: 'An upload under way: it can be resumed by its sender, and downloaded while it comes' })
export const SealedUploading = Type.Object({ ...Coming, ...Sealed }, { description: 'The same in an end-to-end session' })

export const Uploaded = Type.Object({ files: Type.Array(Type.Union([File, SealedFile])) }, { description: 'What was stored' })

/** Bytes of a body that names as many files as it may. */
export const FILE_IDS_LIMIT = 64 * 1024
export const FileIdsBody = Type.Object({ file_ids: Type.Array(FileId, { minItems: 1, maxItems: 1000, uniqueItems: true }) }, strict)

export const FileListQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'Files of one page' })),
  cursor: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,9}$', description: '`next_cursor` of the page before' }))
}, strict)

export const FileList = Type.Object({
  files: Type.Array(Type.Union([File, Uploading, SealedFile, SealedUploading])),
  next_cursor: Type.Union([Type.String(), Type.Null()], { description: 'null on the last page' })
}, { description: 'A page of files' })

export const EventHeaders = Type.Object({
  'last-event-id': Type.Optional(Type.String({ description: 'The id of the last event that was seen: the stream goes on behind it' }))
})

export const DownloadHeaders = Type.Object({
  range: Type.Optional(Type.String({ description: 'One range of bytes: bytes=0-1048575' })),
  'if-range': Type.Optional(Type.String({ description: 'The ETag that the range belongs to' }))
})

// One path has one name for its last part, whatever the method; here it is the file's name, since it has no id yet.
export const RawUploadParams = Type.Object({ id: SessionId, file_id: Type.String({ minLength: 1, maxLength: 1024, description: 'Name of the file' }) })

export const RawUploadHeaders = Type.Object({
  'repr-digest': Type.Optional(Type.String({ description: 'What the SHA-256 of the file must be (RFC 9530): sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:' }))
})

const Size = Type.String({ pattern: '^(0|[1-9][0-9]{0,14})$' })
const TusResumable = Type.Optional(Type.String({ description: '1.0.0' }))

export const CreateUploadHeaders = Type.Object({
  'tus-resumable': TusResumable,
  'upload-length': Type.Optional(Size),
  'upload-defer-length': Type.Optional(Type.Literal('1', { description: 'Instead of Upload-Length, where that is not known' })),
  'upload-metadata': Type.Optional(Type.String({ maxLength: 12_288, description: 'In a managed session `filename`, `filetype`, `sha256`, in an end-to-end one `file_id`, `metadata`; in both `max_downloads`, `expires_in`: each a key and its value in Base64, comma-separated' })),
  'upload-checksum': Type.Optional(Type.String())
})

export const UploadHeaders = Type.Object({ 'tus-resumable': TusResumable })

export const PatchUploadHeaders = Type.Object({
  'tus-resumable': TusResumable,
  'upload-offset': Size,
  'upload-length': Type.Optional(Size),
  'upload-checksum': Type.Optional(Type.String({ description: '`sha256` or `sha1`, and the digest of this piece in Base64' }))
})

const ErrorAnswer = Type.Object({
  statusCode: Type.Integer(),
  code: Type.String({ description: 'Stable code of the catalogue, docs/errors.md' }),
  error: Type.String(),
  message: Type.String({ description: 'What happened and what to do' })
}, { $id: 'Error' })

export const sharedSchemas: readonly TSchema[] = [ErrorAnswer]

/** The error answers of a call: its own codes, by status, beside those that any call can give. */
export const errorAnswers = (...own: ErrorCode[]): Record<string, TSchema> =>
  describeErrors([...own, 'TOO_MANY_REQUESTS', 'SERVER_STOPPING', 'STORE_UNAVAILABLE', 'INTERNAL'])

/** Those of a call without limits. */
export const unlimitedErrorAnswers = (...own: ErrorCode[]): Record<string, TSchema> => describeErrors([...own, 'SERVER_STOPPING', 'INTERNAL'])

/** Statuses of refusals that pass. */
const COMES_AGAIN: readonly number[] = [429, 503, 507]

function describeErrors (codes: readonly ErrorCode[]): Record<string, TSchema> {
  return Object.fromEntries(codes.map((code) => {
    const { status } = ERRORS[code]
    const meanings = codes.filter((other) => ERRORS[other].status === status).map((other) => `\`${other}\`: ${ERRORS[other].message}`)
    const headers = COMES_AGAIN.includes(status) ? { headers: ComeAgain } : {}
    return [String(status), Type.Ref('Error', { description: meanings.join('\n\n'), ...headers })]
  }))
}
