import t from 'tap'
import { joinerShare, passwordElement } from '../../lib/crypto/spake2.js'
import { toHex } from '../../lib/crypto/bytes.js'
import { call, createSession, form, joinSession, PASSWORD, randomContent, uploadFile, type CallOptions, type TestSession } from '../helpers/client.js'
import { beginAttempt, confirm, CONFIRMATION, createEndToEnd, letIn, respond, SHARE, WRAPPED_KEY } from '../helpers/end-to-end.js'
import { startServer } from '../helpers/server.js'

/**
 * Every operation of the OpenAPI document × who calls × the state of the session. An operation without a request here, or with a
 * kind of access that is not in the table, fails: a new route cannot be forgotten.
 */

type Access = 'anyone' | 'attempt' | 'attempt-or-creator' | 'participant' | 'creator' | 'admin'
type Who = 'nobody' | 'stranger' | 'pending' | 'joiner' | 'creator' | 'operator'

interface Operation {
  readonly method: string
  readonly path: string
  readonly operationId: string
  readonly access: Access
}

interface Target {
  readonly session: TestSession
  readonly joinId: string
  readonly fileId: string
}

const REFUSED: Record<Exclude<Access, 'anyone'>, Partial<Record<Who, string>>> = {
  attempt: { nobody: '401 UNAUTHORIZED', stranger: '401 UNAUTHORIZED', operator: '401 UNAUTHORIZED', joiner: '403 NOT_YOUR_ATTEMPT', creator: '403 NOT_YOUR_ATTEMPT' },
  'attempt-or-creator': { nobody: '401 UNAUTHORIZED', stranger: '401 UNAUTHORIZED', operator: '401 UNAUTHORIZED', joiner: '403 NOT_YOUR_ATTEMPT' },
  participant: { nobody: '401 UNAUTHORIZED', stranger: '401 UNAUTHORIZED', operator: '401 UNAUTHORIZED', pending: '401 JOIN_PENDING' },
  creator: { nobody: '401 UNAUTHORIZED', stranger: '401 UNAUTHORIZED', operator: '401 UNAUTHORIZED', pending: '401 JOIN_PENDING', joiner: '403 CREATOR_ONLY' },
  admin: { nobody: '401 OPERATOR_ONLY', stranger: '401 OPERATOR_ONLY', pending: '401 OPERATOR_ONLY', joiner: '401 OPERATOR_ONLY', creator: '401 OPERATOR_ONLY' }
}

const ADMIN_TOKEN = 'abcdefghijklmnopqrstuvwxyz'

const share = toHex(joinerShare(passwordElement(new Uint8Array(32).fill(7))).share)

const TUS = { 'tus-resumable': '1.0.0' }

interface Request {
  /** What a caller who may gets. */
  readonly allowed: number
  readonly request?: (target: Target) => CallOptions
  /** Whether the file has to be somebody else's. */
  readonly byOther?: true
  /** Of an end-to-end session, and how far its attempt has come. */
  readonly attempt?: 'pending' | 'answered' | 'confirmed'
  /** Where the document cannot tell it from another. */
  readonly access?: Access
}

/** A request of each operation that is right in everything but, perhaps, its caller. */
const REQUESTS: Record<string, Request> = {
  health: { allowed: 200 },
  live: { allowed: 200 },
  ready: { allowed: 200 },
  create: { allowed: 201, request: () => ({ body: { password: PASSWORD } }) },
  join: { allowed: 202, request: ({ session }) => ({ body: { verification_code: session.code, public_key: share } }) },
  // The pending attempt of this test does not know the password.
  confirm: { allowed: 401, request: () => ({ body: { confirmation: '00'.repeat(32) } }) },
  attempts: { allowed: 200 },
  attempt: { allowed: 200, access: 'attempt-or-creator' },
  respond: { allowed: 200, attempt: 'pending', request: () => ({ body: { public_key: SHARE } }) },
  accept: { allowed: 200, attempt: 'confirmed', request: () => ({ body: { confirmation: CONFIRMATION, wrapped_key: WRAPPED_KEY } }) },
  reject: { allowed: 200, attempt: 'answered' },
  status: { allowed: 200 },
  unlock: { allowed: 200 },
  upload: { allowed: 201, request: () => ({ body: form({ content: randomContent(2 ** 18 + 1) }) }) },
  files: { allowed: 200 },
  download: { allowed: 200 },
  'download-head': { allowed: 200 },
  downloadFiles: { allowed: 200, request: ({ fileId }) => ({ body: { file_ids: [fileId] } }) },
  archive: { allowed: 200 },
  putFile: { allowed: 201, request: () => ({ body: 'content', headers: { 'content-type': 'text/plain' } }) },
  uploadOptions: { allowed: 204 },
  createUpload: { allowed: 201, request: () => ({ headers: { ...TUS, 'upload-length': '3' } }) },
  'upload-offset-head': { allowed: 200, request: () => ({ headers: TUS }) },
  continueUpload: { allowed: 204, request: () => ({ headers: { ...TUS, 'upload-offset': '10', 'content-type': 'application/offset+octet-stream' } }) },
  deleteUpload: { allowed: 204, request: () => ({ headers: TUS }) },
  deleteFile: { allowed: 204 },
  events: { allowed: 200 },
  receivedFile: { allowed: 204, byOther: true },
  receivedFiles: { allowed: 204, byOther: true, request: ({ fileId }) => ({ body: { file_ids: [fileId] } }) },
  leave: { allowed: 204 },
  close: { allowed: 200 },
  adminSessions: { allowed: 200 },
  adminClose: { allowed: 204 },
  adminTotals: { allowed: 200 },
  adminDrain: { allowed: 200 },
  adminResume: { allowed: 200 }
}

const METHODS = ['get', 'head', 'options', 'post', 'put', 'patch', 'delete'] as const

interface Document {
  readonly paths: Record<string, Partial<Record<typeof METHODS[number], { operationId: string, security?: Array<Record<string, string[]>> }>>>
}

async function operationsOf (origin: string): Promise<Operation[]> {
  const { paths } = await (await fetch(`${origin}/openapi.json`)).json() as Document
  return Object.entries(paths).flatMap(([path, item]) => METHODS.flatMap((method) => {
    const operation = item[method]
    return operation === undefined ? [] : [{ method: method.toUpperCase(), path, operationId: operation.operationId, access: REQUESTS[operation.operationId]?.access ?? accessOf(operation.security ?? []) }]
  }))
}

function accessOf (security: Array<Record<string, string[]>>): Access {
  const schemes = security.flatMap((scheme) => Object.keys(scheme)).sort().join()
  const known: Record<string, Access> = { '': 'anyone', adminToken: 'admin', token: 'attempt', 'creatorCookie,token': 'creator', 'creatorCookie,joinerCookie,token': 'participant' }
  const access = known[schemes]
  if (access === undefined) throw new Error(`unknown access: ${schemes}`)
  return access
}

async function send (origin: string, operation: Operation, target: Target, token: string | undefined): Promise<string> {
  const path = operation.path.replace('{id}', target.session.id).replace('{join_id}', target.joinId).replace('{file_id}', target.fileId)
  const options = REQUESTS[operation.operationId]?.request?.(target) ?? {}
  return (await call(`${origin}${path}`, { method: operation.method, token, ...options })).summary
}

interface Participants {
  readonly session: TestSession
  readonly joiner: string
  readonly pending: { readonly joinId: string, readonly token: string }
}

/** A session of the kind that an operation is for, with a joiner, and somebody whose attempt has come as far as it takes. */
async function populate (origin: string, operationId: string): Promise<Participants> {
  const { attempt } = REQUESTS[operationId] ?? {}
  if (attempt === undefined) {
    const session = await createSession(origin, { max_joiners: 2 })
    return { session, joiner: await joinSession(session), pending: await beginJoin(session) }
  }
  const session = await createEndToEnd(origin, { max_joiners: 2 })
  const joiner = await letIn(session)
  const pending = await beginAttempt(session)
  if (attempt !== 'pending') await respond(session, pending)
  if (attempt === 'confirmed') await confirm(pending)
  return { session, joiner, pending }
}

async function beginJoin (session: TestSession): Promise<{ joinId: string, token: string }> {
  const { body } = await call(`${session.url}/join`, { method: 'POST', body: { verification_code: session.code, public_key: share } })
  return { joinId: String(body['join_id']), token: String(body['token']) }
}

t.test('every operation, by everyone', async (t) => {
  const { app, origin } = await startServer(t, { MAX_JOIN_ATTEMPTS: '10', ADMIN_TOKEN, RATE_LIMIT_OPERATOR: '1000' })
  const operations = await operationsOf(origin)
  t.same(operations.map(({ operationId }) => operationId).sort(), Object.keys(REQUESTS).sort(), 'the table knows every operation')
  const stranger = (await createSession(origin)).token

  for (const operation of operations) {
    const { session, joiner, pending } = await populate(origin, operation.operationId)
    const { byOther, attempt, allowed = 0 } = REQUESTS[operation.operationId] ?? {}
    const others: Record<Exclude<Who, 'operator'>, string | undefined> = { nobody: undefined, stranger, pending: pending.token, joiner, creator: session.token }
    // Whoever may end the session comes last.
    const tokens = operation.access === 'admin' ? { ...others, operator: ADMIN_TOKEN } : { operator: ADMIN_TOKEN, ...others }
    for (const [who, token] of Object.entries(tokens) as Array<[Who, string | undefined]>) {
      const ofJoiner = (who === 'joiner') !== (byOther === true)
      const { file_id: fileId } = attempt !== undefined ? { file_id: '' } : await uploadFile(session, ofJoiner ? joiner : session.token, randomContent(10))
      const refused = operation.access === 'anyone' ? undefined : REFUSED[operation.access][who]
      // An answer to HEAD has no body, so no code.
      const expected = operation.method === 'HEAD' && refused !== undefined ? refused.slice(0, 3) : refused ?? String(allowed)
      const got = await send(origin, operation, { session, joinId: pending.joinId, fileId }, token)
      t.equal(got === '401 JOIN_REFUSED' ? '401' : got, expected, `${operation.operationId} by ${who}`)
    }
    app.draining.turn(false)
  }
})

for (const state of ['closed', 'expired'] as const) {
  t.test(`every operation on a session that is ${state}`, async (t) => {
    let now = Date.now()
    const { origin } = await startServer(t, {}, { clock: () => now })
    const session = await createSession(origin, { max_joiners: 2 })
    const joiner = await joinSession(session)
    const pending = await beginJoin(session)
    const { file_id: fileId } = await uploadFile(session, session.token, randomContent(10))
    if (state === 'closed') await call(`${session.url}/close`, { method: 'POST', token: session.token })
    else now += 3_600_000

    for (const operation of await operationsOf(origin)) {
      for (const token of [undefined, pending.token, joiner, session.token]) {
        const got = await send(origin, operation, { session, joinId: pending.joinId, fileId }, token)
        const expected = operation.operationId === 'join'
          ? '404 SESSION_NOT_FOUND'
          : operation.access === 'anyone' ? String(REQUESTS[operation.operationId]?.allowed) : operation.method === 'HEAD' ? '401' : '401 UNAUTHORIZED'
        t.equal(got, expected, operation.operationId)
      }
    }
  })
}

t.test('a locked session: nobody joins, those who are in stay in', async (t) => {
  const { origin } = await startServer(t)
  for (const operation of await operationsOf(origin)) {
    const session = await createSession(origin, { max_joiners: 2 })
    const joiner = await joinSession(session)
    const { byOther: ofOther = false, attempt } = REQUESTS[operation.operationId] ?? {}
    const { file_id: fileId } = await uploadFile(session, ofOther ? session.token : joiner, randomContent(10))
    const wrong = session.code === '000000' ? '000001' : '000000'
    for (let i = 0; i < 5; i++) await call(`${session.url}/join`, { method: 'POST', body: { verification_code: wrong, public_key: share } })
    if (attempt !== undefined || operation.access.startsWith('attempt')) continue

    const got = await send(origin, operation, { session, joinId: '0'.repeat(16), fileId }, operation.access === 'creator' ? session.token : joiner)
    t.equal(got, operation.operationId === 'join' ? '423 SESSION_LOCKED' : String(REQUESTS[operation.operationId]?.allowed), operation.operationId)
  }
})
