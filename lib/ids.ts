/**
 * Identifiers of sessions, files and join attempts (protocol local-send/1, section 4).
 *
 * All of them are lowercase hexadecimal of an exact length. They are drawn by the server (a file id of an end-to-end
 * session by its writer), and only a string that passed one of the parsers here ever becomes part of a path or a key.
 */

declare const brand: unique symbol

/** 8 lowercase hex digits. */
export type SessionId = string & { readonly [brand]: 'SessionId' }
/** 32 lowercase hex digits. */
export type FileId = string & { readonly [brand]: 'FileId' }
/** 16 lowercase hex digits. */
export type JoinId = string & { readonly [brand]: 'JoinId' }

export const SESSION_ID_PATTERN = '^[0-9a-f]{8}$'
export const FILE_ID_PATTERN = '^[0-9a-f]{32}$'
export const JOIN_ID_PATTERN = '^[0-9a-f]{16}$'

const sessionId = new RegExp(SESSION_ID_PATTERN)
const fileId = new RegExp(FILE_ID_PATTERN)
const joinId = new RegExp(JOIN_ID_PATTERN)

export const isSessionId = (value: unknown): value is SessionId => typeof value === 'string' && sessionId.test(value)
export const isFileId = (value: unknown): value is FileId => typeof value === 'string' && fileId.test(value)
export const isJoinId = (value: unknown): value is JoinId => typeof value === 'string' && joinId.test(value)
