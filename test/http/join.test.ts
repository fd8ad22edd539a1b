import t from 'tap'
import { fromHex, toHex } from '../../lib/crypto/bytes.js'
import { deriveW } from '../../lib/crypto/password.js'
import { joinerHandshake, joinerShare, passwordElement, type Handshake, type PasswordElement, type Share } from '../../lib/crypto/spake2.js'
import { isSessionId } from '../../lib/ids.js'
import { call, createSession, joinSession, PASSWORD, type Answer, type TestSession } from '../helpers/client.js'
import { startServer } from '../helpers/server.js'

const WRONG = 'incorrect horse battery staple'

async function elementOf ({ id }: TestSession, password = PASSWORD): Promise<PasswordElement> {
  if (!isSessionId(id)) throw new Error('not a session id')
  return passwordElement(await deriveW(password, id))
}

const join = ({ url, code }: TestSession, body: object): Promise<Answer> =>
  call(`${url}/join`, { method: 'POST', body: { verification_code: code, ...body } })

const shareOf = ({ body }: Answer): Uint8Array => fromHex(String(body['public_key']))

async function handshake (session: TestSession, element: PasswordElement, own: Share, answer: Answer): Promise<Handshake> {
  if (!isSessionId(session.id)) throw new Error('not a session id')
  return await joinerHandshake({ kind: 'managed', sid: session.id, element, own, peer: shareOf(answer) })
}

/** The first half of a join by SPAKE2, and the confirmations that a joiner with this password has. */
async function beginSpake2 (session: TestSession, password = PASSWORD): Promise<{ answer: Answer, token: string, url: string, handshake: Handshake }> {
  const element = await elementOf(session, password)
  const own = joinerShare(element)
  const answer = await join(session, { public_key: toHex(own.share) })
  if (answer.status !== 202) throw new Error(`join answered ${answer.summary}`)
  return {
    answer,
    token: String(answer.body['token']),
    url: `${session.url}/joins/${String(answer.body['join_id'])}/confirm`,
    handshake: await handshake(session, element, own, answer)
  }
}

const confirm = (url: string, token: string, confirmation: Uint8Array): Promise<Answer> =>
  call(url, { method: 'POST', token, body: { confirmation: toHex(confirmation) } })

const wrongCode = ({ code }: TestSession): string => code === '000000' ? '000001' : '000000'
const failByCode = (session: TestSession): Promise<Answer> => join({ ...session, code: wrongCode(session) }, { password: PASSWORD })

t.test('by password: a token, and a cookie limited to the session', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const { status, body, headers } = await join(session, { password: PASSWORD })
  t.equal(status, 200)
  t.match(body, { session_id: session.id, status: 'joined', role: 'joiner', kind: 'managed' })
  t.notOk('public_key' in body)
  t.equal(headers.get('set-cookie'), `local_send_joiner=${String(body['token'])}; Path=/api/session/${session.id}; HttpOnly; SameSite=Strict`)
})

t.test('by password with a share: the server proves that it knows the password', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const element = await elementOf(session)
  const own = joinerShare(element)
  const answer = await join(session, { password: PASSWORD, public_key: toHex(own.share) })
  t.equal(answer.status, 200)
  t.equal(answer.body['confirmation'], toHex((await handshake(session, element, own, answer)).expectedConfirmation))
})

t.test('by SPAKE2 alone: the token opens the session only after a right confirmation', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const { answer, token, url, handshake } = await beginSpake2(session)
  t.match(answer.body, { status: 'pending', kind: 'managed' })
  t.equal(answer.headers.get('set-cookie'), null)
  t.equal((await call(`${session.url}/status`, { token })).summary, '401 JOIN_PENDING')

  const confirmed = await confirm(url, token, handshake.confirmation)
  t.equal(confirmed.status, 200)
  t.same(confirmed.body, { status: 'joined', confirmation: toHex(handshake.expectedConfirmation) })
  t.match(confirmed.headers.get('set-cookie'), `local_send_joiner=${token};`)
  t.match((await call(`${session.url}/status`, { token })).body, { status: 'joined', role: 'joiner', participants: [{ role: 'creator' }, { role: 'joiner' }] })

  t.equal((await confirm(url, token, handshake.confirmation)).summary, '409 ATTEMPT_ENDED', 'a replayed confirmation')
})

t.test('create announces the share of the first attempt, and of no other', async (t) => {
  const { origin } = await startServer(t)
  const created = await call(`${origin}/api/session/create`, { method: 'POST', body: { password: PASSWORD, max_joiners: 2 } })
  const id = String(created.body['session_id'])
  const session = { id, code: String(created.body['verification_code']), token: String(created.body['token']), url: `${origin}/api/session/${id}` }
  const first = await beginSpake2(session)
  const second = await beginSpake2(session)
  t.equal(first.answer.body['public_key'], created.body['public_key'])
  t.not(second.answer.body['public_key'], created.body['public_key'])
  for (const { url, token, handshake } of [second, first]) t.equal((await confirm(url, token, handshake.confirmation)).status, 200)
})

t.test('wrong code, wrong password, refused share and wrong confirmation: one status, one body', async (t) => {
  const { origin } = await startServer(t, { MAX_JOIN_ATTEMPTS: '20' })
  const session = await createSession(origin)
  const element = await elementOf(session)
  const offCurve = `04${'11'.repeat(64)}`
  const { url, token } = await beginSpake2(session, WRONG)
  const answers = {
    'wrong code': await failByCode(session),
    'wrong password': await join(session, { password: WRONG }),
    'share off the curve': await join(session, { public_key: offCurve }),
    'hybrid share': await join(session, { public_key: toHex(joinerShare(element).share).replace(/^04/, '06') }),
    'share that is w·M': await join(session, { public_key: toHex(element.wM) }),
    'share off the curve beside a right password': await join(session, { password: PASSWORD, public_key: offCurve }),
    'wrong confirmation': await confirm(url, token, new Uint8Array(32))
  }
  const expected = JSON.stringify(answers['wrong code'].body)
  for (const [name, { summary, body }] of Object.entries(answers)) {
    t.equal(summary, '401 JOIN_REFUSED', name)
    t.equal(JSON.stringify(body), expected, name)
  }
  t.equal((await confirm(url, token, new Uint8Array(32))).summary, '401 UNAUTHORIZED', 'the token died with its attempt')
})

t.test('failures lock the session; an unlock forgives wrong codes only', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin, { max_joiners: 5 })
  const joiner = await joinSession(session)
  await join(session, { password: WRONG })
  for (let i = 0; i < 4; i++) t.equal((await failByCode(session)).summary, '401 JOIN_REFUSED')
  t.equal((await join(session, { password: PASSWORD })).summary, '423 SESSION_LOCKED')
  t.match((await call(`${session.url}/status`, { token: joiner })).body, { status: 'locked' }, 'who is in stays in')

  const unlocked = await call(`${session.url}/unlock`, { method: 'POST', token: session.token })
  const code = String(unlocked.body['verification_code'])
  t.not(code, session.code)
  t.equal((await failByCode({ ...session, code })).summary, '401 JOIN_REFUSED')
  t.equal((await join({ ...session, code }, { password: PASSWORD })).status, 200)

  for (let i = 0; i < 3; i++) t.equal((await join({ ...session, code }, { password: WRONG })).summary, '401 JOIN_REFUSED')
  t.equal((await join({ ...session, code }, { password: PASSWORD })).summary, '423 SESSION_LOCKED')
  const again = await call(`${session.url}/unlock`, { method: 'POST', token: session.token })
  const newer = { ...session, code: String(again.body['verification_code']) }
  t.equal((await join(newer, { password: WRONG })).summary, '401 JOIN_REFUSED', 'four behind a right code, and one more')
  t.equal((await call(`${session.url}/unlock`, { method: 'POST', token: session.token })).summary, '423 SESSION_LOCKED')
})

t.test('pending attempts and failures together never exceed the limit, however many come at once', async (t) => {
  let now = Date.now()
  const { origin } = await startServer(t, {}, { clock: () => now })
  const session = await createSession(origin, { max_joiners: 20 })
  const share = toHex(joinerShare(await elementOf(session)).share)
  const answers = await Promise.all(Array.from({ length: 50 }, () => join(session, { public_key: share })))
  t.equal(answers.filter(({ status }) => status === 202).length, 5)
  t.equal(answers.filter(({ summary }) => summary === '429 ATTEMPTS_PENDING').length, 45)
  t.equal(answers.find(({ status }) => status === 429)?.headers.get('retry-after'), '60')

  now += 60_000
  t.equal((await join(session, { public_key: share })).status, 202, 'an attempt without a confirmation is given back after a minute')
})

t.test('max_joiners holds when two confirm at once', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const attempts = [await beginSpake2(session), await beginSpake2(session)]
  const answers = await Promise.all(attempts.map(({ url, token, handshake }) => confirm(url, token, handshake.confirmation)))
  t.same(answers.map(({ summary }) => summary).sort(), ['200', '409 SESSION_FULL'])
  t.equal((await join(session, { password: PASSWORD })).summary, '409 SESSION_FULL')
})

t.test('a joiner who leaves makes room, and his token is worth nothing', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const joiner = await joinSession(session)
  const left = await call(`${session.url}/leave`, { method: 'POST', token: joiner })
  t.equal(left.status, 204)
  t.match(left.headers.get('set-cookie'), /^local_send_joiner=;.*Expires=Thu, 01 Jan 1970/)
  t.equal((await call(`${session.url}/status`, { token: joiner })).summary, '401 UNAUTHORIZED')
  t.ok(await joinSession(session))
})

t.test('a malformed join is no attempt', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const bodies = [
    {},
    { verification_code: session.code },
    { verification_code: Number(session.code), password: PASSWORD },
    { verification_code: session.code, password: 'short' },
    { verification_code: session.code, password: 'with a \u0007 bell' },
    { verification_code: session.code, password: PASSWORD, extra: 1 },
    { verification_code: session.code, public_key: '04ab' },
    { verification_code: session.code, public_key: 'AB'.repeat(65) }
  ]
  for (const body of [...bodies, ...bodies]) {
    const { status } = await call(`${session.url}/join`, { method: 'POST', body })
    t.equal(status, 400, JSON.stringify(body))
  }
  t.ok(await joinSession(session))
})

t.test('a session that closes while somebody joins: the join loses', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const { url, token, handshake } = await beginSpake2(session)
  const [closed, byPassword] = await Promise.all([
    call(`${session.url}/close`, { method: 'POST', token: session.token }),
    join(session, { password: PASSWORD })
  ])
  t.equal(closed.status, 200)
  t.match(byPassword.summary, /^(404 SESSION_NOT_FOUND|409 SESSION_CLOSED)$/)
  t.equal((await confirm(url, token, handshake.confirmation)).summary, '401 UNAUTHORIZED')
})

t.test('more derivations than may wait are told to come back, and guess nothing', async (t) => {
  const { origin } = await startServer(t, { MAX_JOIN_ATTEMPTS: '100' })
  const session = await createSession(origin, { max_joiners: 1 })
  const answers = await Promise.all(Array.from({ length: 60 }, () => join(session, { password: WRONG })))
  const busy = answers.filter(({ summary }) => summary === '503 SERVER_BUSY')
  t.ok(busy.length >= 60 - 36 && busy.length < 60, `${busy.length} of 60`)
  t.equal(busy[0]?.headers.get('retry-after'), '5')
  t.equal(answers.filter(({ summary }) => summary === '401 JOIN_REFUSED').length, 60 - busy.length)
  t.ok(await joinSession(session), 'only those that were derived count')
})
