import t from 'tap'
import { LocalSendError } from '../../lib/errors.js'
import { PASSWORD, call } from '../helpers/client.js'
import { accept, beginAttempt, CONFIRMATION, confirm, createEndToEnd, letIn, respond, SHARE, WRAPPED_KEY } from '../helpers/end-to-end.js'
import { arrival, listen } from '../helpers/events.js'
import { startServer } from '../helpers/server.js'

t.test('a joiner and a creator meet', async (t) => {
  const { origin } = await startServer(t)
  const session = await createEndToEnd(origin)
  const attempt = await beginAttempt(session)
  const seenByCreator = async () => (await call(attempt.url, { token: session.token })).body
  const seenByJoiner = async () => (await call(attempt.url, { token: attempt.token })).body

  t.match(await seenByCreator(), { join_id: attempt.joinId, status: 'pending', public_key: SHARE })
  t.same(Object.keys(await seenByJoiner()).sort(), ['expires_at', 'join_id', 'status'], 'nothing of the creator\'s yet')
  t.equal((await respond(session, attempt)).summary, '200')
  t.match(await seenByJoiner(), { status: 'answered', public_key: SHARE })
  t.same((await confirm(attempt)).body, { status: 'confirmed' })
  t.match(await seenByCreator(), { status: 'confirmed', confirmation: CONFIRMATION })
  t.equal((await seenByJoiner())['confirmation'], undefined, 'his own confirmation is not the creator\'s')
  t.equal((await call(`${session.url}/status`, { token: attempt.token })).summary, '401 JOIN_PENDING')
  t.same((await accept(session, attempt)).body, { status: 'joined' })

  const joined = await call(attempt.url, { token: attempt.token })
  t.match(joined.body, { status: 'joined', confirmation: CONFIRMATION, wrapped_key: WRAPPED_KEY })
  t.match(joined.headers.get('set-cookie'), 'local_send_joiner=')
  t.match((await call(`${session.url}/status`, { token: attempt.token })).body, { kind: 'end-to-end', role: 'joiner', status: 'joined' })
  t.equal((await seenByCreator())['wrapped_key'], undefined)
  t.match((await call(`${session.url}/joins`, { token: session.token })).body, { joins: [{ join_id: attempt.joinId, status: 'joined' }] })
})

t.test('a password is refused, whoever sends it', async (t) => {
  const { origin } = await startServer(t)
  t.equal((await call(`${origin}/api/session/create`, { method: 'POST', body: { kind: 'end-to-end', password: PASSWORD } })).summary, '400 PASSWORD_NOT_WANTED')
  t.equal((await call(`${origin}/api/session/create`, { method: 'POST', body: { kind: 'managed' } })).summary, '400 INVALID_REQUEST')
  const { url, code } = await createEndToEnd(origin)
  for (const body of [{ password: PASSWORD }, { password: PASSWORD, public_key: SHARE }]) {
    t.equal((await call(`${url}/join`, { method: 'POST', body: { verification_code: code, ...body } })).summary, '400 PASSWORD_NOT_WANTED')
  }
  t.equal((await call(`${url}/join`, { method: 'POST', body: { verification_code: code } })).summary, '400 INVALID_REQUEST')
})

t.test('steps out of their order change nothing', async (t) => {
  const { origin } = await startServer(t)
  const session = await createEndToEnd(origin, { max_joiners: 2 })
  const attempt = await beginAttempt(session)
  t.equal((await confirm(attempt)).summary, '409 ATTEMPT_ENDED', 'nothing was answered')
  t.equal((await accept(session, attempt)).summary, '409 ATTEMPT_ENDED')
  await respond(session, attempt)
  t.equal((await respond(session, attempt)).summary, '409 ATTEMPT_ENDED', 'one share for each attempt')
  t.equal((await accept(session, attempt)).summary, '409 ATTEMPT_ENDED', 'nobody is let in without a confirmation')
  await confirm(attempt)
  t.equal((await confirm(attempt)).summary, '409 ATTEMPT_ENDED', 'one confirmation for each attempt')
  await accept(session, attempt)
  t.equal((await call(`${attempt.url}/reject`, { method: 'POST', token: session.token })).summary, '409 ATTEMPT_ENDED')

  const unknown = `${session.url}/joins/${'0'.repeat(16)}`
  t.equal((await call(unknown, { token: session.token })).summary, '404 ATTEMPT_NOT_FOUND')
  t.equal((await call(`${unknown}/reject`, { method: 'POST', token: session.token })).summary, '404 ATTEMPT_NOT_FOUND')
})

t.test('what a creator rejects counts, and locks', async (t) => {
  const { origin } = await startServer(t)
  const session = await createEndToEnd(origin)
  const reader = await listen(session.url, session.token)
  for (let i = 0; i < 5; i++) {
    const attempt = await beginAttempt(session)
    t.equal((await call(`${attempt.url}/reject`, { method: 'POST', token: session.token })).summary, '200')
    t.match((await call(attempt.url, { token: attempt.token })).body, { status: 'rejected' }, 'its joiner can learn it')
  }
  const body = { verification_code: session.code, public_key: SHARE }
  t.equal((await call(`${session.url}/join`, { method: 'POST', body })).summary, '423 SESSION_LOCKED')
  t.equal((await call(`${session.url}/unlock`, { method: 'POST', token: session.token })).summary, '423 SESSION_LOCKED', 'those are never forgiven')
  await arrival(reader, 'session.locked')
  t.equal(reader.events.filter(({ type, data }) => type === 'join.refused' && data['reason'] === 'rejected').length, 5)
})

t.test('open attempts and failures together never exceed the limit', async (t) => {
  const { origin } = await startServer(t)
  const session = await createEndToEnd(origin, { max_joiners: 10 })
  const body = { verification_code: session.code, public_key: SHARE }
  const answers = await Promise.all(Array.from({ length: 40 }, () => call(`${session.url}/join`, { method: 'POST', body })))
  t.equal(answers.filter(({ status }) => status === 202).length, 5)
  t.equal(answers.filter(({ summary }) => summary === '429 ATTEMPTS_PENDING').length, 35)
})

t.test('an attempt that nobody answers or confirms is given back after a minute', async (t) => {
  let now = Date.now()
  const { origin } = await startServer(t, {}, { clock: () => now })
  const session = await createEndToEnd(origin)
  const pending = await beginAttempt(session)
  const answered = await beginAttempt(session)
  await respond(session, answered)
  const confirmed = await beginAttempt(session)
  await respond(session, confirmed)
  await confirm(confirmed)
  now += 60_000
  const statusOf = async ({ url, token }: { url: string, token: string }) => (await call(url, { token })).body['status']
  t.same([await statusOf(pending), await statusOf(answered), await statusOf(confirmed)], ['expired', 'expired', 'confirmed'])
  t.equal((await respond(session, pending)).summary, '409 ATTEMPT_ENDED')
  t.equal((await confirm(answered)).summary, '409 ATTEMPT_ENDED')
  t.equal((await accept(session, confirmed)).summary, '200', 'a guess that was made waits for its creator')
  now += 60_000
  t.equal((await call(pending.url, { token: pending.token })).summary, '401 UNAUTHORIZED', 'and is then forgotten')
})

t.test('places are given once', async (t) => {
  const { origin } = await startServer(t)
  const session = await createEndToEnd(origin)
  const attempts = await Promise.all([beginAttempt(session), beginAttempt(session), beginAttempt(session)])
  for (const attempt of attempts) {
    await respond(session, attempt)
    await confirm(attempt)
  }
  const answers = await Promise.all(attempts.map((attempt) => accept(session, attempt)))
  t.same(answers.map(({ summary }) => summary).sort(), ['200', '409 SESSION_FULL', '409 SESSION_FULL'])
  t.equal((await call(`${session.url}/join`, { method: 'POST', body: { verification_code: session.code, public_key: SHARE } })).summary, '409 SESSION_FULL')
})

t.test('an answer that waits', async (t) => {
  const { origin, app } = await startServer(t)
  const session = await createEndToEnd(origin)
  const attempt = await beginAttempt(session)
  const wait = (token: string, after: string, seconds = 20) => call(`${attempt.url}?wait=${seconds}&after=${after}`, { token })

  t.match((await wait(attempt.token, 'answered')).body, { status: 'pending' }, 'what is not known comes at once')
  t.match((await wait(attempt.token, 'pending', 1)).body, { status: 'pending' }, 'the same after the time')
  const answered = wait(attempt.token, 'pending')
  await respond(session, attempt)
  t.match((await answered).body, { status: 'answered', public_key: SHARE })
  const confirmed = wait(session.token, 'answered')
  await confirm(attempt)
  t.match((await confirmed).body, { status: 'confirmed', confirmation: CONFIRMATION })
  const joined = wait(attempt.token, 'confirmed')
  await accept(session, attempt)
  t.match((await joined).body, { status: 'joined' })

  const many = Array.from({ length: 11 }, () => wait(session.token, 'joined', 2))
  t.equal((await Promise.all(many)).filter(({ summary }) => summary === '429 TOO_MANY_REQUESTS').length, 1)

  const subscribe = app.eventHub.subscribe.bind(app.eventHub)
  Object.assign(app.eventHub, { subscribe: () => Promise.reject(new LocalSendError('STORE_UNAVAILABLE')) })
  for (let i = 0; i < 11; i++) t.equal((await wait(session.token, 'joined')).summary, '503 STORE_UNAVAILABLE')
  Object.assign(app.eventHub, { subscribe })
  t.match((await wait(session.token, 'joined', 1)).body, { status: 'joined' }, 'and none of those counts as one that waits')

  const other = await createEndToEnd(origin)
  const open = await beginAttempt(other)
  const closed = call(`${open.url}?wait=20&after=pending`, { token: open.token })
  await new Promise((resolve) => { setTimeout(resolve, 200) })
  await call(`${other.url}/close`, { method: 'POST', token: other.token })
  t.equal((await closed).summary, '409 SESSION_CLOSED')
  const stopped = wait(session.token, 'joined')
  await new Promise((resolve) => { setTimeout(resolve, 200) })
  await app.close()
  t.match((await stopped).body, { status: 'joined' }, 'a server that stops keeps nobody waiting')
})

t.test('a creator is told of each step, and nobody else\'s token takes one', async (t) => {
  const { origin } = await startServer(t)
  const session = await createEndToEnd(origin)
  const reader = await listen(session.url, session.token)
  const attempt = await beginAttempt(session)
  const other = await beginAttempt(session)
  t.equal((await call(attempt.url, { token: other.token })).summary, '403 NOT_YOUR_ATTEMPT')
  t.equal((await call(`${attempt.url}/respond`, { method: 'POST', token: other.token, body: { public_key: SHARE } })).summary, '401 JOIN_PENDING')
  t.equal((await call(`${attempt.url}/confirm`, { method: 'POST', token: other.token, body: { confirmation: CONFIRMATION } })).summary, '403 NOT_YOUR_ATTEMPT')
  await respond(session, attempt)
  await confirm(attempt)
  await accept(session, attempt)
  await arrival(reader, 'join.joined')
  t.same(reader.events.filter(({ data }) => data['join_id'] === attempt.joinId).map(({ type }) => type), ['join.requested', 'join.answered', 'join.confirmed', 'join.joined'])
})

t.test('a participant who left can be followed by another', async (t) => {
  const { origin } = await startServer(t)
  const session = await createEndToEnd(origin)
  const token = await letIn(session)
  t.equal((await call(`${session.url}/leave`, { method: 'POST', token })).summary, '204')
  await letIn(session)
  t.equal((await call(`${session.url}/status`, { token })).summary, '401 UNAUTHORIZED')
})
