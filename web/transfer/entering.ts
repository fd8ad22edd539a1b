/** Getting into a session to receive from it: as somebody new, or as who an earlier tab has joined as. */

import type { Code } from '../../client/code.js'
import { derivingOnce } from '../../client/derive-once.js'
import { joinSession, type JoinState } from '../../client/join.js'
import type { Connection, Member } from '../../client/session.js'
import type { SessionKind } from '../../lib/crypto/spake2.js'
import { ReceiveLog } from '../kept/receive-log.js'

/** Who is in. */
export interface Entered {
  readonly member: Member
  /** For people who compare it by voice. */
  readonly verifier: string
  /** What a later tab goes on with; `undefined` where nothing can be kept. */
  readonly log: ReceiveLog | undefined
}

export interface JoinChoices {
  readonly password: string
  /** What its user expects. */
  readonly kind: SessionKind
  readonly onState: (state: JoinState) => void
  readonly signal: AbortSignal
}

/** Joins. @throws ClientError as `joinSession` */
export async function join (connection: Connection, { sessionId, verificationCode }: Code, options: JoinChoices): Promise<Entered> {
  const derive = derivingOnce()
  const { member, verifier } = await joinSession(connection, { ...options, derive, code: `${sessionId}-${verificationCode}` })
  const owner = { sessionId, role: 'joiner', passphrase: options.password, derive } as const
  return { member, verifier, log: await ReceiveLog.create(owner, { member, verifier }) }
}

/** Takes up what an earlier tab has kept. @throws ProblemError KEPT_ELSEWHERE, KEPT_SEALED */
export async function takeUp ({ sessionId }: Code, passphrase: string): Promise<Entered> {
  const log = await ReceiveLog.open({ sessionId, role: 'joiner', passphrase, derive: derivingOnce() })
  return { ...log.receiver, log }
}
