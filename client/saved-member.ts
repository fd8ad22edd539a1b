import type { Member } from './session.js'
import { fromBase64url, toBase64url } from '../lib/crypto/bytes.js'

/** A member as JSON has it. */
export type SavedMember = Omit<Member, 'contentKey'> & { readonly contentKey?: string }

export const saveMember = ({ contentKey, ...member }: Member): SavedMember =>
  ({ ...member, ...(contentKey !== undefined && { contentKey: toBase64url(contentKey) }) })

export const restoreMember = ({ contentKey, ...member }: SavedMember): Member =>
  ({ ...member, contentKey: contentKey === undefined ? undefined : fromBase64url(contentKey) })
