import t from 'tap'
import { Api } from '../../client/api.js'
import type { Fetch } from '../../client/http.js'
import { joinSession, MAX_GUESSES, type Guesses } from '../../client/join.js'
import { createSession } from '../../client/session.js'
import { toBase64url, toHex } from '../../lib/crypto/bytes.js'
import { joinerShare, passwordElement } from '../../lib/crypto/spake2.js'
import { newJoinId, newSessionId } from '../../lib/new-ids.js'
import { PASSWORD } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startServer } from '../helpers/server.js'
import { startHosting } from './fixtures/hosting.js'
import { failure, startStub, type Script } from './fixtures/stub.js'
import { wireTo, type Lie } from './fixtures/tamper.js'

const PASSPHRASE = 'absent-mango-river'
/** A share that is a point of the curve, and nobody's in particular. */
const SOMEBODYS = toHex(joinerShare(passwordElement(new Uint8Array(32).fill(7))).share)

const flip = (text: unknown): string => {
  const hex = String(text)
  return (hex.startsWith('0') ? '1' : '0') + hex.slice(1)
}

/** Guesses that are written down. */
function notebook (count = 0): Guesses & { readonly written: number[] } {
  const written: number[] = []
  return { count, written, onGuess: (guesses) => { written.push(guesses); return Promise.resolve() } }
}

t.test('a managed session is joined by SPAKE2, and the password stays', async (t) => {
  const { origin } = await startServer(t)
  const { member: creator, verificationCode } = await createSession({ server: origin }, { kind: 'managed', password: PASSWORD })
  t.equal(creator.contentKey, undefined)
  const wire = wireTo(origin)
  const [guesses, states]: [ReturnType<typeof notebook>, string[]] = [notebook(), []]
  const { member, verifier } = await joinSession(wire.connection, {
    code: ` ${creator.sessionId.toUpperCase()} ${verificationCode}`,
    password: PASSWORD,
    kind: 'managed',
    guesses,
    onState: (state) => { states.push(state) }
  })
  t.match(member, { server: origin, sessionId: creator.sessionId, kind: 'managed', role: 'joiner', limits: creator.limits })
  t.equal(member.contentKey, undefined)
  t.match(verifier, /^[0-9a-f]{4}( [0-9a-f]{4}){3}$/)
  t.match(await new Api({ server: origin }, member.sessionId, member.token).status(), { role: 'joiner', status: 'joined' })
  t.same(wire.asked(), ['POST /join', `POST /joins/${/joins\/(\w+)/.exec(wire.asked().join())?.[1] ?? ''}/confirm`, 'GET /status'])
  t.same(Object.keys(JSON.parse(wire.exchanges[0]?.body ?? '') as object), ['verification_code', 'public_key'])
  t.notOk(wire.text().includes(PASSWORD))
  t.same(states, ['deriving', 'waiting', 'confirming'])
  t.same(guesses.written, [1, 0], 'a confirmation counts until a right one comes back')
})

t.test('a managed session, and what goes wrong', async (t) => {
  const { origin } = await startServer(t)

  /** What a join of a new session comes to. */
  async function failing (options: { readonly password?: string, readonly kind?: 'managed' | 'end-to-end', readonly codeOf?: (id: string, code: string) => string }, lie?: Lie) {
    const { member: { sessionId }, verificationCode } = await createSession({ server: origin }, { kind: 'managed', password: PASSWORD })
    const { codeOf = (id, verification) => `${id}-${verification}`, ...others } = options
    const [wire, guesses] = [wireTo(origin, lie), notebook()]
    const joining = joinSession(wire.connection, { code: codeOf(sessionId, verificationCode), password: PASSWORD, kind: 'managed', guesses, ...others })
    const error: unknown = await joining.then(() => 'joined', (error: unknown) => error)
    return { error, asked: wire.asked().map((line) => line.replace(/[0-9a-f]{16}/, 'ID')), written: guesses.written }
  }
  const both = ['POST /join', 'POST /joins/ID/confirm']

  t.match(await failing({ password: 'another password' }), { error: { code: 'WRONG_PASSWORD' }, asked: both, written: [1] })
  const wrong = await failing({ codeOf: (id, code) => `${id}-${code === '000000' ? '000001' : '000000'}` })
  t.match(wrong, { error: { code: 'JOIN_REFUSED' }, asked: ['POST /join'], written: [] })
  t.match(await failing({ codeOf: (_, code) => `00000000-${code}` }), { error: { code: 'SESSION_NOT_FOUND' } })
  t.match(await failing({ kind: 'end-to-end' }), { error: { code: 'UNEXPECTED_KIND' }, asked: ['POST /join'], written: [] }, 'nothing more is said to a session of the other kind')

  const of = (pattern: RegExp, change: (answer: Record<string, unknown>) => object): Lie => ({ path }, answer) => pattern.test(path) ? { ...answer, ...change(answer) } : undefined
  t.match(await failing({}, of(/confirm$/, (answer) => ({ confirmation: flip(answer['confirmation']) }))), { error: { code: 'WRONG_PASSWORD' }, written: [1] }, 'cB altered')
  t.match(await failing({}, of(/join$/, () => ({ public_key: SOMEBODYS }))), { error: { code: 'WRONG_PASSWORD' }, written: [1] }, 'pB altered')
  t.match(await failing({}, of(/join$/, () => ({ public_key: '04'.repeat(65) }))), { error: { name: 'ClientError', code: 'SHARE_REFUSED' }, asked: ['POST /join'], written: [] }, 'pB no point')
  t.match(await failing({}, of(/join$/, () => ({ public_key: undefined }))), { error: { code: 'BAD_ANSWER' }, asked: ['POST /join'] }, 'no pB')
  t.match(await failing({}, of(/join$/, () => ({ kind: 'end-to-end' }))), { error: { code: 'UNEXPECTED_KIND' }, asked: ['POST /join'] }, 'kind altered')
})

t.test('what is wrong from the beginning sends nothing', async (t) => {
  const stub = await startStub(t, () => ({}))
  const sid = newSessionId()
  const cases: ReadonlyArray<readonly [string, string | undefined, string]> = [
    ['no code', undefined, 'CODE_INVALID'],
    [`${sid}-123456`, undefined, 'PASSWORD_MISSING'],
    [`${sid}-123456`, 'short', 'PASSWORD_INVALID'],
    [`${sid}-123456`, 'a bell\u0007 in it', 'PASSWORD_INVALID']
  ]
  for (const [code, password, expected] of cases) {
    await t.rejects(joinSession({ server: stub.origin }, { code, password }), { name: 'ClientError', code: expected })
  }
  t.same(stub.asked(), [])
})

t.test('a join is never repeated', async (t) => {
  for (const answer of [failure(503, 'SERVER_BUSY', { 'retry-after': '0' }), failure(429, 'ATTEMPTS_PENDING', { 'retry-after': '0' }), { status: 502 }]) {
    const stub = await startStub(t, () => answer)
    await t.rejects(joinSession({ server: stub.origin }, { code: `${newSessionId()}-123456-${PASSPHRASE}` }), { name: 'ClientError' })
    t.equal(stub.requests.length, 1)
  }
})

t.test('an end-to-end session: creator and joiner agree, and nobody else learns anything', async (t) => {
  const { origin } = await startServer(t)
  const ofCreator = wireTo(origin)
  const host = await startHosting(t, ofCreator.connection, { password: PASSPHRASE })
  const ofJoiner = wireTo(origin)
  const guesses = notebook()
  const { member, verifier } = await joinSession(ofJoiner.connection, { code: `${origin}/#${host.code}-${PASSPHRASE}`, guesses })
  t.match(member, { sessionId: host.member.sessionId, kind: 'end-to-end', role: 'joiner' })
  t.same(member.contentKey, host.member.contentKey)
  await eventually(() => host.log.at(-1) === 'state 0 1 1')
  t.same(host.verifiers, [verifier])
  t.same(guesses.written, [1, 0])
  t.match(await new Api({ server: origin }, member.sessionId, member.token).status(), { role: 'joiner', status: 'joined' })
  t.same(host.log, ['requested', 'state 0 0 1', 'state 0 1 1*', 'joined', 'state 0 1 1'])
  t.equal(ofJoiner.asked(/confirm$/).length, 1)

  const key = host.member.contentKey ?? new Uint8Array()
  for (const secret of [PASSPHRASE, toHex(key), toBase64url(key)]) t.notOk([ofCreator, ofJoiner].some((wire) => wire.text().includes(secret)))
  await t.resolves(host.stop(), 'the signal ends it quietly')
})

t.test('an end-to-end session: what a dishonest relay can alter', async (t) => {
  const { origin } = await startServer(t)
  /** Alters what an attempt says once it has this status. */
  const when = (status: string, change: (answer: Record<string, unknown>) => object): Lie => ({ path }, answer) =>
    /^\/joins\/\w+$/.test(path) && answer['status'] === status ? { ...answer, ...change(answer) } : undefined
  const cases: ReadonlyArray<readonly [string, Lie, { readonly code: string, readonly written: readonly number[], readonly confirmations: number }]> = [
    ['kind', ({ path }, answer) => path === '/join' ? { ...answer, kind: 'managed', public_key: SOMEBODYS } : undefined, { code: 'UNEXPECTED_KIND', written: [], confirmations: 0 }],
    ['pB, for another point', when('answered', () => ({ public_key: SOMEBODYS })), { code: 'WRONG_PASSWORD', written: [1], confirmations: 1 }],
    ['pB, for no point', when('answered', () => ({ public_key: '04'.repeat(65) })), { code: 'SHARE_REFUSED', written: [], confirmations: 0 }],
    ['pB, left out', when('answered', () => ({ public_key: undefined })), { code: 'BAD_ANSWER', written: [], confirmations: 0 }],
    ['cB', when('joined', (answer) => ({ confirmation: flip(answer['confirmation']) })), { code: 'WRONG_PASSWORD', written: [1], confirmations: 1 }],
    ['cB, left out', when('joined', () => ({ confirmation: undefined })), { code: 'BAD_ANSWER', written: [1], confirmations: 1 }],
    ['cB and the wrapped key', when('joined', () => ({ confirmation: 'ab'.repeat(32), wrapped_key: toBase64url(new Uint8Array(60)) })), { code: 'WRONG_PASSWORD', written: [1], confirmations: 1 }],
    ['the wrapped key', when('joined', () => ({ wrapped_key: toBase64url(new Uint8Array(60)) })), { code: 'WRAPPED_KEY_REFUSED', written: [1, 0], confirmations: 1 }],
    ['the status: joined before it is confirmed', when('answered', () => ({ status: 'joined', confirmation: 'ab'.repeat(32), wrapped_key: toBase64url(new Uint8Array(60)) })), { code: 'BAD_ANSWER', written: [], confirmations: 0 }],
    ['the status: rejected at once', when('answered', () => ({ status: 'rejected' })), { code: 'REJECTED', written: [], confirmations: 0 }],
    ['the status: expired', when('joined', () => ({ status: 'expired' })), { code: 'NOT_ANSWERED', written: [1], confirmations: 1 }],
    ['the attempt', when('answered', () => ({ join_id: newJoinId() })), { code: 'BAD_ANSWER', written: [], confirmations: 0 }],
    ['the session', ({ path }, answer) => path === '/status' ? { ...answer, session_id: newSessionId() } : undefined, { code: 'BAD_ANSWER', written: [1, 0], confirmations: 1 }],
    ['the role', ({ path }, answer) => path === '/status' ? { ...answer, role: 'creator' } : undefined, { code: 'BAD_ANSWER', written: [1, 0], confirmations: 1 }]
  ]
  for (const [name, lie, expected] of cases) {
    const host = await startHosting(t, { server: origin }, { password: PASSPHRASE })
    const [wire, guesses] = [wireTo(origin, lie), notebook()]
    await t.rejects(joinSession(wire.connection, { code: `${host.code}-${PASSPHRASE}`, guesses }), { name: 'ClientError', code: expected.code }, name)
    t.same({ written: guesses.written, confirmations: wire.asked(/confirm$/).length }, { written: expected.written, confirmations: expected.confirmations }, name)
    await host.stop()
  }
})

t.test('a wrong password is told to both, and an attempt is spent', async (t) => {
  const { origin } = await startServer(t)
  const host = await startHosting(t, { server: origin }, { password: PASSPHRASE })
  const guesses = notebook()
  await t.rejects(joinSession({ server: origin }, { code: host.code, password: 'zoo-zoo-zoo', guesses }), { code: 'WRONG_PASSWORD' })
  t.same(guesses.written, [1])
  t.same(host.log, ['requested', 'state 0 0 1', 'state 1 0 1', 'refused password'])
  const { member } = await joinSession({ server: origin }, { code: host.code, password: PASSPHRASE, guesses: notebook(1) })
  t.same(member.contentKey, host.member.contentKey, 'and the next one may be right')
})

t.test('an answer to the confirmation that gets lost: it is not sent again, and the join succeeds', async (t) => {
  const { origin } = await startServer(t)
  const host = await startHosting(t, { server: origin }, { password: PASSPHRASE })
  const wire = wireTo(origin, ({ path }) => {
    if (path.endsWith('/confirm')) throw new TypeError('the connection broke')
    return undefined
  })
  const { member } = await joinSession(wire.connection, { code: host.code, password: PASSPHRASE })
  t.same(member.contentKey, host.member.contentKey)
  t.equal(wire.asked(/confirm$/).length, 1)
})

t.test('the confirmation leaves when the guess has been written down, and only then', async (t) => {
  const { origin } = await startServer(t)
  const host = await startHosting(t, { server: origin }, { password: PASSPHRASE })
  const wire = wireTo(origin)
  const full = new Error('the disk is full')
  await t.rejects(joinSession(wire.connection, { code: host.code, password: PASSPHRASE, guesses: { count: 0, onGuess: () => Promise.reject(full) } }), full)
  t.same(wire.asked(/confirm$/), [])
})

/** A server that answers every join as if it guessed: it never knows the right confirmation. */
const guessing = (): Script => {
  const confirmed = new Set<string>()
  return ({ method, path }) => {
    const id = /joins\/(\w+)/.exec(path)?.[1] ?? newJoinId()
    if (path.endsWith('/join')) return { status: 202, body: { join_id: id, status: 'pending', kind: 'end-to-end', token: toBase64url(new Uint8Array(32)) } }
    if (method === 'POST') {
      confirmed.add(id)
      return { status: 202, body: { status: 'confirmed' } }
    }
    if (!confirmed.has(id)) return { body: { join_id: id, status: 'answered', public_key: SOMEBODYS } }
    return { body: { join_id: id, status: 'joined', public_key: SOMEBODYS, confirmation: 'ab'.repeat(32), wrapped_key: toBase64url(new Uint8Array(60)) } }
  }
}

t.test('after five confirmations without a right answer no other is sent', async (t) => {
  const stub = await startStub(t, guessing())
  const code = `${newSessionId()}-123456-${PASSPHRASE}`
  for (let i = 0; i < MAX_GUESSES; i++) await t.rejects(joinSession({ server: stub.origin }, { code }), { code: 'WRONG_PASSWORD' })
  const asked = stub.requests.length
  await t.rejects(joinSession({ server: stub.origin }, { code }), { code: 'GUESSING_SUSPECTED' })
  t.equal(stub.requests.length, asked, 'nor anything else')

  const other = `${newSessionId()}-123456-${PASSPHRASE}`
  await t.rejects(joinSession({ server: stub.origin }, { code: other, guesses: notebook(MAX_GUESSES) }), { code: 'GUESSING_SUSPECTED' })
  t.equal(stub.requests.length, asked, 'those of earlier runs count')
})

t.test('confirmations of joins at the same time count together', async (t) => {
  const stub = await startStub(t, guessing())
  const code = `${newSessionId()}-123456-${PASSPHRASE}`
  const results = await Promise.all(Array.from({ length: MAX_GUESSES + 2 }, () => joinSession({ server: stub.origin }, { code }).then(() => 'joined', (error: unknown) => (error as { code: string }).code)))
  t.equal(results.filter((result) => result === 'WRONG_PASSWORD').length, MAX_GUESSES)
  t.equal(stub.asked().filter((line) => line.endsWith('/confirm')).length, MAX_GUESSES)
})

t.test('a creator who is not there', async (t) => {
  const answer = (status: number, code: string): Script => ({ method, path }) => method === 'POST'
    ? { status: 202, body: { join_id: 'ab'.repeat(8), status: 'pending', kind: 'end-to-end', token: toBase64url(new Uint8Array(32)) } }
    : code === '' ? { body: { join_id: 'ab'.repeat(8), status: path.includes('wait=25&after=pending') ? 'expired' : 'joined' } } : failure(status, code)
  for (const [script, code] of [[answer(200, ''), 'NOT_ANSWERED'], [answer(404, 'ATTEMPT_NOT_FOUND'), 'NOT_ANSWERED'], [answer(401, 'UNAUTHORIZED'), 'SESSION_NOT_FOUND']] as const) {
    const stub = await startStub(t, script)
    await t.rejects(joinSession({ server: stub.origin }, { code: `${newSessionId()}-123456-${PASSPHRASE}` }), { code })
  }
})

t.test('the signal ends a join that waits', async (t) => {
  const { origin } = await startServer(t)
  const { member, verificationCode } = await createSession({ server: origin }, { password: PASSPHRASE })
  const controller = new AbortController()
  const joining = joinSession({ server: origin }, {
    code: `${member.sessionId}-${verificationCode}-${PASSPHRASE}`,
    signal: controller.signal,
    onState: (state) => { if (state === 'waiting') setTimeout(() => { controller.abort() }, 300) }
  })
  await t.rejects(joining, { name: 'AbortError' })
})

t.test('a server that fails for a moment is asked again', async (t) => {
  const { origin } = await startServer(t)
  const host = await startHosting(t, { server: origin }, { password: PASSPHRASE })
  const waits: string[] = []
  const fetchWith: Fetch = async (url, init) => {
    const [wait] = /wait=\d+/.exec(url) ?? []
    if (wait !== undefined && waits.push(wait) <= 2) throw new TypeError('the connection broke')
    return await fetch(url, init)
  }
  const { member } = await joinSession({ server: origin, fetch: fetchWith }, { code: host.code, password: PASSPHRASE })
  t.same(member.contentKey, host.member.contentKey)
  t.same(waits.slice(0, 3), ['wait=25', 'wait=0', 'wait=0'], 'at once, so that it is soon known that it is there again')
})

t.test('a server that makes another session than it was asked for', async (t) => {
  const { origin } = await startServer(t)
  const lying = (change: object): Lie => (_, answer) => ({ ...answer, ...change })
  for (const [change, code] of [[{ kind: 'managed' }, 'UNEXPECTED_KIND'], [{ limits: { max_file_size: 1, max_session_size: 1, max_files: 1, max_joiners: 2, max_downloads: null } }, 'BAD_ANSWER']] as const) {
    await t.rejects(createSession(wireTo(origin, lying(change)).connection, { password: PASSPHRASE }), { code })
  }
  const wire = wireTo(origin)
  await t.rejects(createSession(wire.connection, { password: 'short' }), { name: 'ClientError', code: 'PASSWORD_INVALID' })
  t.same(wire.asked(), [])
  const { member } = await createSession(wire.connection, { password: PASSPHRASE, maxJoiners: 2, expiresIn: 60 })
  t.equal(member.limits.maxJoiners, 2)
  t.same(JSON.parse(wire.exchanges[0]?.body ?? ''), { kind: 'end-to-end', max_joiners: 2, expires_in: 60 })
})
