/** Fresh identifiers, as the server draws them (lib/ids.ts says what they look like). */

import { randomBytes, toHex } from './crypto/bytes.js'
import type { FileId, JoinId, SessionId } from './ids.js'

export const newSessionId = (): SessionId => toHex(randomBytes(4)) as SessionId
export const newFileId = (): FileId => toHex(randomBytes(16)) as FileId
export const newJoinId = (): JoinId => toHex(randomBytes(8)) as JoinId
