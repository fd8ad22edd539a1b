/**
 * The catalogue of errors: every failure a caller can meet has one stable code, one status and one sentence that says what
 * to do. Codes never change their meaning; docs/errors.md is generated from this table (`npm run openapi`).
 */

interface Entry {
  readonly status: number
  readonly message: string
}

export const ERRORS = {
  // 400: the request is not of the form the API asks for
  INVALID_REQUEST: { status: 400, message: 'The request does not have the form this call asks for.' },
  PASSWORD_INVALID: { status: 400, message: 'The password must be 8 to 1024 bytes of UTF-8 text without control characters.' },
  MULTIPART_MALFORMED: { status: 400, message: 'The multipart body is malformed or ended early. Send the file again.' },
  MULTIPART_UNEXPECTED: { status: 400, message: 'The multipart body holds a part that is not expected there. Send, for each file, first its optional fields "sha256", "max_downloads" and "expires_in", and then the "file" part.' },
  NO_FILE: { status: 400, message: 'The request holds no file. Send at least one multipart part named "file" with a filename.' },
  UPLOAD_INCOMPLETE: { status: 400, message: 'The upload ended before the whole file had arrived. Nothing was kept; send it again.' },

  PASSWORD_NOT_WANTED: { status: 400, message: 'An end-to-end session never takes a password. The server has now seen this one: create another session with another password, and join with "public_key" alone.' },
  CHECKSUM_INVALID: { status: 400, message: 'The announced checksum is not of a form that this server checks.' },

  // 401, 403: who is asking
  UNAUTHORIZED: { status: 401, message: 'This call needs a valid token of this session. Create or join the session first.' },
  OPERATOR_ONLY: { status: 401, message: 'This call needs the operator\'s token in an Authorization header.' },
  JOIN_REFUSED: { status: 401, message: 'The verification code or the password is wrong. Each wrong try counts; ask the creator for both.' },
  JOIN_PENDING: { status: 401, message: 'This token opens its join attempt only. Send the confirmation first.' },
  CREATOR_ONLY: { status: 403, message: 'Only the creator of the session may do this.' },
  NOT_YOUR_FILE: { status: 403, message: 'Only the uploader of the file and the creator of the session may delete it.' },
  OWN_FILE: { status: 403, message: 'That a file was received is for those to say who have not uploaded it.' },
  NOT_YOUR_UPLOAD: { status: 403, message: 'Only who began this upload may go on with it.' },
  NOT_YOUR_ATTEMPT: { status: 403, message: 'This join attempt belongs to somebody else.' },
  CROSS_ORIGIN: { status: 403, message: 'A change that is authorised by cookie alone must come from this server\'s own pages. Send the token in an Authorization header instead.' },

  // 404, 405, 406
  NOT_FOUND: { status: 404, message: 'There is no such path. The documentation at /docs lists the calls.' },
  SESSION_NOT_FOUND: { status: 404, message: 'There is no such session: the id is mistyped, or the session was closed or has expired.' },
  ATTEMPT_NOT_FOUND: { status: 404, message: 'There is no such join attempt in this session: it ended a while ago, or never was one.' },
  FILE_NOT_FOUND: { status: 404, message: 'There is no such file in this session. List the files to see what there is.' },

  // 408 to 423: the state of the session, or of an upload, forbids it
  REQUEST_TIMEOUT: { status: 408, message: 'The request body did not arrive in time. Send it again.' },
  UPLOAD_STALLED: { status: 408, message: 'Too little of the upload arrived for too long. What did arrive is kept; ask for the offset and go on from there.' },
  UPLOAD_OFFSET_MISMATCH: { status: 409, message: 'The upload does not stand at this offset. Ask for its offset and go on from there.' },
  SESSION_FULL: { status: 409, message: 'The session already has as many joiners as it admits. Ask its creator for a new one.' },
  ATTEMPT_ENDED: { status: 409, message: 'This join attempt has already ended. One confirmation ends an attempt; join again for a new one.' },
  WRONG_KIND: { status: 409, message: 'This call is for the other kind of session: "kind" in the session\'s status says which one it is.' },
  FILE_EXISTS: { status: 409, message: 'The session already has a file of this id. Seal the file again, under another id and salt.' },
  DOWNLOADS_USED_UP: { status: 410, message: 'This file has been downloaded as often as it may be.' },
  TUS_VERSION: { status: 412, message: 'This server speaks version 1.0.0 of tus. Send the header Tus-Resumable with that version.' },
  UPLOAD_LOCKED: { status: 423, message: 'A newer request has taken this upload over. Ask for its offset before going on.' },
  SESSION_LOCKED: { status: 423, message: 'The session is locked after too many failed joins. Its creator can unlock it, or create a new one where passwords were wrong too often.' },
  SESSION_CLOSED: { status: 409, message: 'The session was closed while the request ran. Nothing was kept.' },

  // 413 to 422: what was sent
  FILE_TOO_LARGE: { status: 413, message: 'The file is larger than this server accepts.' },
  BODY_TOO_LARGE: { status: 413, message: 'The request body is larger than this call accepts.' },
  TOO_MANY_PARTS: { status: 413, message: 'The multipart body has too many parts. Send fewer files in one request.' },
  SESSION_SIZE_EXCEEDED: { status: 413, message: 'The files of this session together would exceed its limit. Delete some, or create another session.' },
  TOO_MANY_FILES: { status: 413, message: 'The session already holds as many files as it may. Delete some, or create another session.' },
  UPLOAD_TOO_LONG: { status: 413, message: 'More bytes came than the upload has left. Send exactly as many as were announced.' },
  UPLOAD_TOO_FRAGMENTED: { status: 413, message: 'The upload came in too many pieces. Delete it and send larger ones.' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, message: 'The Content-Type of the request is not one this call accepts.' },
  FILE_TYPE_NOT_ALLOWED: { status: 415, message: 'This server does not accept files of this type.' },
  RANGE_NOT_SATISFIABLE: { status: 416, message: 'The requested range lies outside the file, or is not one single range.' },
  CONTAINER_REFUSED: { status: 422, message: 'What arrived is not a container of protocol local-send/1 for this file and this sender, or not a whole one. Nothing was kept; seal the file again under another id.' },
  CHECKSUM_MISMATCH: { status: 422, message: 'The SHA-256 of what arrived differs from the one announced. Nothing was kept; send the file again.' },

  PIECE_CHECKSUM_MISMATCH: { status: 460, message: 'The checksum of this piece differs from the one announced. The piece was thrown away; send it again.' },
  HEADERS_TOO_LARGE: { status: 431, message: 'The headers of the request are longer than the 16 KiB that this server reads.' },

  // 429 and above: not now
  TOO_MANY_REQUESTS: { status: 429, message: 'Too many requests. Wait as long as Retry-After says.' },
  ATTEMPTS_PENDING: { status: 429, message: 'Too many join attempts are under way. Try again in a minute.' },
  INTERNAL: { status: 500, message: 'The server failed. Its log has the details under this request\'s id.' },
  SERVER_BUSY: { status: 503, message: 'The server is busy. Try again after the time that Retry-After says.' },
  SERVER_FULL: { status: 503, message: 'The server holds as many sessions as it may. Try again later.' },
  SERVER_DRAINING: { status: 503, message: 'The server takes no new sessions at present, because its operator wants to stop it. Try again in a few minutes.' },
  SERVER_STOPPING: { status: 503, message: 'The server is stopping. Try again in a moment.' },
  STORAGE_UNAVAILABLE: { status: 503, message: 'The storage for files does not answer at present. Try again after the time that Retry-After says; an upload that can be resumed goes on from its offset.' },
  STORE_UNAVAILABLE: { status: 503, message: 'The server cannot reach what it keeps its sessions in. Try again after the time that Retry-After says.' },
  STORAGE_FULL: { status: 507, message: 'The server has no room for this file at present. Try again later, or ask its operator.' },

  // What the cryptographic modules refuse; the service turns those that a caller may see into one of the above
  SHARE_REFUSED: { status: 401, message: 'The SPAKE2 share is not an acceptable point.' },
  CONFIRMATION_REFUSED: { status: 401, message: 'The SPAKE2 confirmation is wrong: the passwords differ, or somebody sits in between.' },
  CONTAINER_DAMAGED: { status: 500, message: 'The encrypted file is damaged, cut short or not the one expected.' },
  METADATA_DAMAGED: { status: 500, message: 'The encrypted description of the file is damaged or not the one expected.' },
  WRAPPED_KEY_REFUSED: { status: 401, message: 'The wrapped content key cannot be opened with this session\'s key.' }
} as const satisfies Record<string, Entry>

/** A code of the catalogue. */
export type ErrorCode = keyof typeof ERRORS

interface Details {
  /** A sentence added to the catalogue's own: which limit, which field. Never a secret. */
  readonly detail?: string
  /** Seconds after which it is worth trying again; becomes Retry-After. */
  readonly retryAfter?: number
  /** What was caught; logged, never shown to a caller. */
  readonly cause?: unknown
}

/** A failure of the catalogue. Thrown anywhere below the routes; the errors plugin turns it into the answer. */
export class LocalSendError extends Error {
  override readonly name = 'LocalSendError'
  readonly code: ErrorCode
  readonly statusCode: number
  readonly retryAfter: number | undefined

  constructor (code: ErrorCode, { detail, retryAfter, cause }: Details = {}) {
    const { message, status } = ERRORS[code]
    super(detail === undefined ? message : `${message} ${detail}`, cause === undefined ? undefined : { cause })
    this.code = code
    this.statusCode = status
    this.retryAfter = retryAfter
  }
}

/** Whether `error` is a failure of the catalogue, of the given code if one is given. */
export const isLocalSendError = (error: unknown, code?: ErrorCode): error is LocalSendError =>
  error instanceof LocalSendError && (code === undefined || error.code === code)
