import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { hostJoins, MAX_FAILURES, type HostOptions } from '../../client/host.js'
import { admitted, newHostState, type HostState } from '../../client/host-state.js'
import { joinSession } from '../../client/join.js'
import { createSession, type Member } from '../../client/session.js'
import { fromBase64url, fromHex, randomBytes, toHex } from '../../lib/crypto/bytes.js'
import { unwrapContentKey, verifier } from '../../lib/crypto/keys.js'
import { confirmationMatches } from '../../lib/crypto/spake2.js'
import { newJoinId } from '../../lib/new-ids.js'
import { PASSWORD } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { record, startHosting } from './fixtures/hosting.js'
import { confirmationOf, joinersOf, startRelay, type Relay } from './fixtures/relay.js'
import { failure } from './fixtures/stub.js'

const PASSPHRASE = 'absent-mango-river'
const WRONG = 'ab'.repeat(32)

/** Hosts at a relay until the test ends. */
function host (t: Test, { connection, member }: Pick<Relay, 'connection' | 'member'>, options: Partial<HostOptions> = {}) {
  const controller = new AbortController()
  const recorder = record()
  const running = hostJoins(connection, member, { password: PASSPHRASE, state: newHostState(), signal: controller.signal, ...recorder.callbacks, ...options })
  running.catch(() => {})
  const stop = (): Promise<void> => {
    controller.abort()
    return running
  }
  t.teardown(() => { stop().catch(() => {}) })
  return { ...recorder, running, stop }
}

t.test('a joiner gets cB and the content key for a right cA', async (t) => {
  const relay = await startRelay(t)
  const joiner = (await joinersOf(relay.member.sessionId, PASSPHRASE))()
  const { log } = host(t, relay)
  const id = await relay.begin(joiner.share)
  t.same(relay.whats(), ['respond'])
  const handshake = await joiner.handshake(relay.shareFor(id))
  await relay.confirm(id, toHex(handshake.confirmation))
  t.same(relay.whats(), ['respond', 'accept'])
  const body = relay.acts[1]?.body ?? {}
  t.ok(await confirmationMatches(handshake.expectedConfirmation, fromHex(String(body['confirmation']))))
  t.same(await unwrapContentKey(handshake.sessionKey, relay.member.sessionId, fromBase64url(String(body['wrapped_key']))), relay.member.contentKey)
  t.same(log, ['requested', 'state 0 0 1', 'state 0 1 1*', 'joined', 'state 0 1 1'])
})

t.test('a wrong cA gets nothing', async (t) => {
  const relay = await startRelay(t)
  const joiner = (await joinersOf(relay.member.sessionId, PASSPHRASE))()
  const { log } = host(t, relay)
  const id = await relay.begin(joiner.share)
  await relay.confirm(id, WRONG)
  t.same(relay.acts.slice(1), [{ joinId: id, what: 'reject', body: {} }])
  t.same(log, ['requested', 'state 0 0 1', 'state 1 0 1', 'refused password'])
})

t.test('one confirmation for an attempt, whatever the relay says of it later', async (t) => {
  const relay = await startRelay(t)
  const joiner = (await joinersOf(relay.member.sessionId, PASSPHRASE))()
  const { states } = host(t, relay)
  const id = await relay.begin(joiner.share)
  const right = await confirmationOf(joiner, relay.shareFor(id))
  await relay.confirm(id, WRONG)
  await relay.confirm(id, right)
  await relay.confirm(id, WRONG)
  t.notOk(relay.whats().includes('accept'))
  t.equal(states.at(-1)?.failures, 1, 'and one failure')
})

t.test('one share for an attempt', async (t) => {
  const relay = await startRelay(t)
  const joiners = await joinersOf(relay.member.sessionId, PASSPHRASE)
  const [first, second] = [joiners(), joiners()]
  const { log } = host(t, relay)
  const id = await relay.begin(first.share)
  relay.attempts.splice(0)
  await relay.begin(second.share, id)
  t.same(relay.acts.map(({ body }) => body['public_key']), [relay.shareFor(id), relay.shareFor(id)], 'again, it is the same one')
  await relay.confirm(id, await confirmationOf(second, relay.shareFor(id)))
  t.notOk(relay.whats().includes('accept'), 'the confirmation belongs to the share that came first')

  const third = await relay.begin(joiners().share)
  t.not(relay.shareFor(third), relay.shareFor(id), 'another attempt has another one')
  t.same(log.filter((entry) => entry === 'requested').length, 2)
})

t.test('after five failures no confirmation is looked at, though all attempts were answered before', async (t) => {
  const relay = await startRelay(t, 10)
  const joiners = await joinersOf(relay.member.sessionId, PASSPHRASE)
  const { log, states } = host(t, relay)
  const guessers = await Promise.all(Array.from({ length: MAX_FAILURES + 1 }, async () => {
    const joiner = joiners()
    return { joiner, id: await relay.begin(joiner.share) }
  }))
  t.equal(relay.whats().length, guessers.length)
  for (const { id } of guessers.slice(0, MAX_FAILURES)) await relay.confirm(id, WRONG)
  for (const { id, joiner } of guessers.slice(MAX_FAILURES)) await relay.confirm(id, await confirmationOf(joiner, relay.shareFor(id)))
  t.notOk(relay.whats().includes('accept'), 'even a right one')
  t.same(log.filter((entry) => entry.startsWith('locked')), ['locked guesses'])
  const answers = relay.whats().filter((what) => what === 'respond').length
  await relay.begin(joiners().share)
  t.equal(relay.whats().filter((what) => what === 'respond').length, answers, 'nobody is answered any more')

  const next = await startRelay(t, 10)
  const { log: later } = host(t, next, { state: states.at(-1) ?? newHostState() })
  await next.begin(joiners().share)
  t.same(next.whats(), [], 'nor in a later run')
  t.same(later, ['locked guesses'])
})

t.test('no more joiners than the creator wanted, however many the relay admits', async (t) => {
  const relay = await startRelay(t, 2)
  const joiners = await joinersOf(relay.member.sessionId, PASSPHRASE)
  const { log, states, stop } = host(t, relay)
  const all = [joiners(), joiners(), joiners()]
  const ids = [await relay.begin(all[0]?.share ?? ''), await relay.begin(all[1]?.share ?? ''), await relay.begin(all[2]?.share ?? '')]
  for (const [i, id] of ids.entries()) {
    const joiner = all[i]
    if (joiner !== undefined) await relay.confirm(id, await confirmationOf(joiner, relay.shareFor(id)))
  }
  t.same(relay.whats(), ['respond', 'respond', 'respond', 'accept', 'accept', 'reject'])
  t.equal(log.at(-1), 'refused full')
  t.equal(states.at(-1)?.failures, 0, 'whoever came too late has not guessed')
  await stop()

  const next = host(t, relay, { state: states.at(-1) ?? newHostState() })
  await eventually(() => relay.streams.length === 2)
  await relay.begin(joiners().share)
  t.same(relay.whats().slice(6), [], 'those of an earlier run count')
  await next.stop()
})

t.test('what an earlier run answered is not answered anew', async (t) => {
  const relay = await startRelay(t)
  const joiners = await joinersOf(relay.member.sessionId, PASSPHRASE)
  const joiner = joiners()
  const first = host(t, relay)
  const id = await relay.begin(joiner.share)
  await first.stop()

  const attempt = relay.attempts[0] ?? {}
  attempt['status'] = 'pending'
  const second = host(t, relay, { state: first.states.at(-1) ?? newHostState() })
  await eventually(() => relay.streams.length === 2)
  await relay.settle()
  t.same(relay.whats(), ['respond'], 'not with another share')
  await relay.confirm(id, await confirmationOf(joiner, relay.shareFor(id)))
  t.same(relay.whats(), ['respond', 'reject'], 'a confirmation that nobody can check any more is refused')
  t.same(second.log, ['refused lapsed'], 'and is no failure')
})

t.test('a share that must not be accepted is a failure', async (t) => {
  const relay = await startRelay(t)
  const { log } = host(t, relay)
  const id = await relay.begin('04'.repeat(65))
  t.same(relay.acts, [{ joinId: id, what: 'reject', body: {} }])
  t.same(log, ['requested', 'state 1 0 0', 'refused password'])
})

t.test('nothing leaves before the state has been written down', async (t) => {
  const joiners = async (relay: Relay) => (await joinersOf(relay.member.sessionId, PASSPHRASE))()
  const full = new Error('the disk is full')
  /** Fails to write the state as soon as it is this one. */
  const failingAt = (is: (state: HostState) => boolean) => ({ onState: (state: HostState) => is(state) ? Promise.reject(full) : Promise.resolve() })

  const unanswered = await startRelay(t)
  const first = host(t, unanswered, failingAt(({ answered }) => answered.length > 0))
  const share = (await joiners(unanswered)).share
  unanswered.attempts.push({ join_id: newJoinId(), status: 'pending', public_key: share })
  await t.rejects(first.running, full)
  t.same(unanswered.acts, [])

  for (const [name, is, confirm] of [
    ['cB and the key', ({ joined }: HostState) => joined.length > 0, confirmationOf],
    ['a refusal', ({ failures }: HostState) => failures > 0, () => Promise.resolve(WRONG)]
  ] as const) {
    const relay = await startRelay(t)
    const joiner = await joiners(relay)
    const { running } = host(t, relay, failingAt(is))
    const id = await relay.begin(joiner.share)
    const confirmation = await confirm(joiner, relay.shareFor(id))
    relay.confirm(id, confirmation).catch(() => {})
    await t.rejects(running, full, name)
    t.same(relay.whats(), ['respond'], name)
  }
})

t.test('each step is written down before its request leaves', async (t) => {
  const relay = await startRelay(t)
  const joiner = (await joinersOf(relay.member.sessionId, PASSPHRASE))()
  const seen: string[] = []
  host(t, relay, {
    onState: async ({ answered, joined }) => {
      await delay(50)
      seen.push(`${answered.length} ${joined.length}: ${relay.whats().join()}`)
    }
  })
  const id = await relay.begin(joiner.share)
  await relay.confirm(id, await confirmationOf(joiner, relay.shareFor(id)))
  t.same(seen, ['1 0: ', '1 1: respond', '1 1: respond,accept'])
})

t.test('an acceptance whose answer gets lost is sent again, the same bytes', async (t) => {
  const relay = await startRelay(t)
  const joiner = (await joinersOf(relay.member.sessionId, PASSPHRASE))()
  const { log } = host(t, relay)
  let times = 0
  relay.refuse = (what) => what === 'accept' && times++ === 0 ? { status: 502 } : undefined
  const id = await relay.begin(joiner.share)
  await relay.confirm(id, await confirmationOf(joiner, relay.shareFor(id)))
  await eventually(() => log.includes('joined'))
  const accepts = relay.acts.filter(({ what }) => what === 'accept')
  t.equal(accepts.length, 2)
  t.same(accepts[1], accepts[0])
  await relay.settle()
  t.same(log, ['requested', 'state 0 0 1', 'state 0 1 1*', 'joined', 'state 0 1 1'], 'and told once')
})

/** Somebody who is being let in when the run ends, so that nobody knows whether the server has been told. */
async function interruptedAccept (t: Test) {
  const relay = await startRelay(t)
  const joiner = (await joinersOf(relay.member.sessionId, PASSPHRASE))()
  const { states, stop } = host(t, relay)
  relay.refuse = (what) => what === 'accept' ? { status: 502 } : undefined
  const id = await relay.begin(joiner.share)
  const [attempt = {}] = relay.attempts
  Object.assign(attempt, { status: 'confirmed', confirmation: await confirmationOf(joiner, relay.shareFor(id)) })
  relay.settle().catch(() => {})
  await eventually(() => relay.whats().includes('accept'))
  await stop()
  const state = JSON.parse(JSON.stringify(states.at(-1))) as HostState
  t.same([state.joined, admitted(state)], [[id], []], 'who has a place, but may not be in')
  const accept = relay.acts[1]
  const acts = relay.acts.length
  relay.refuse = () => undefined
  const { sessionKey } = await joiner.handshake(relay.shareFor(id))
  return { relay, id, attempt, state, accept, later: () => relay.acts.slice(acts), verifier: await verifier(sessionKey, relay.member.sessionId) }
}

t.test('whoever was being let in when a run ended is let in by the next one, with the same bytes', async (t) => {
  for (const meanwhile of ['confirmed', 'joined']) {
    const { relay, id, attempt, state, accept, later, verifier: expected } = await interruptedAccept(t)
    attempt['status'] = meanwhile
    const { log, verifiers, states, stop } = host(t, relay, { state })
    await eventually(() => log.length === 2)
    t.same(later(), meanwhile === 'joined' ? [] : [accept])
    t.same([log, verifiers], [['joined', 'state 0 1 1'], [expected]])
    t.same(admitted(states.at(-1) ?? newHostState()), [id])
    await relay.settle()
    t.equal(log.length, 2, 'told once')
    await stop()
  }
})

t.test('whoever has a place and is not there any more is told of, and keeps it', async (t) => {
  for (const [what, happens] of [
    ['has left', ({ relay }) => relay.attempts.splice(0)],
    ['was refused', ({ attempt }) => { attempt['status'] = 'rejected' }],
    ['has waited for too long', ({ state }) => state.admitting?.forEach((admission) => Object.assign(admission, { since: Date.now() - 121_000 }))]
  ] as ReadonlyArray<readonly [string, (scene: Awaited<ReturnType<typeof interruptedAccept>>) => unknown]>) {
    const scene = await interruptedAccept(t)
    const { relay, id, state, later } = scene
    happens(scene)
    const { log, states, stop } = host(t, relay, { state })
    await eventually(() => log.length === 2)
    t.same(log, ['refused gone', 'state 0 1 1'], what)
    t.notOk(later().some((act) => act.what === 'accept'), what)
    t.same(admitted(states.at(-1) ?? newHostState()), [id], what)
    await relay.settle()
    t.equal(log.length, 2, 'told once')
    await stop()
  }
})

t.test('an acceptance that the server had already, or has no use for any more', async (t) => {
  for (const [status, expected] of [['joined', 'joined'], ['rejected', 'refused gone']] as const) {
    const relay = await startRelay(t)
    const joiner = (await joinersOf(relay.member.sessionId, PASSPHRASE))()
    const { log } = host(t, relay)
    relay.refuse = (what) => {
      if (what !== 'accept') return undefined
      Object.assign(relay.attempts[0] ?? {}, { status })
      return failure(409, 'ATTEMPT_ENDED')
    }
    const id = await relay.begin(joiner.share)
    await relay.confirm(id, await confirmationOf(joiner, relay.shareFor(id)))
    await relay.settle()
    t.ok(log.includes(expected), log.join())
    t.equal(log.filter((entry) => entry === expected).length, 1)
  }
})

t.test('a server that fails or is restarted is waited for', async (t) => {
  const relay = await startRelay(t)
  const joiner = (await joinersOf(relay.member.sessionId, PASSPHRASE))()
  let failures = 0
  relay.refuse = (what) => what === 'list' && failures++ < 1 ? { status: 502 } : undefined
  const { log } = host(t, relay)
  const id = newJoinId()
  relay.attempts.push({ join_id: id, status: 'pending', public_key: joiner.share })
  await eventually(() => relay.whats().length === 1)
  relay.streams[0]?.destroy()
  Object.assign(relay.attempts[0] ?? {}, { status: 'confirmed', confirmation: await confirmationOf(joiner, relay.shareFor(id)) })
  await eventually(() => log.includes('joined'))
  t.ok(relay.streams.length > 1, 'and everything is looked at again, since events may have been missed')
})

t.test('a session that is gone, and what is no session to host', async (t) => {
  const relay = await startRelay(t)
  relay.refuse = () => failure(401, 'UNAUTHORIZED')
  await t.rejects(host(t, relay).running, { name: 'ClientError', code: 'SESSION_NOT_FOUND' })

  const closing = await startRelay(t)
  const { running } = host(t, closing)
  await closing.settle()
  closing.streams[0]?.write('event: session.closed\ndata: {}\n\n')
  await t.rejects(running, { code: 'SESSION_NOT_FOUND' })

  const managed: Member = { ...relay.member, kind: 'managed', contentKey: undefined }
  await t.rejects(host(t, { connection: relay.connection, member: managed }).running, { code: 'UNEXPECTED_KIND' })
  await t.rejects(host(t, relay, { password: 'short' }).running, { name: 'ClientError', code: 'PASSWORD_INVALID' })
})

t.test('lists that cannot be', async (t) => {
  const share = toHex(randomBytes(65))
  for (const attempt of [
    { join_id: 'x', status: 'pending', public_key: share },
    { join_id: newJoinId(), status: 'pending' },
    { join_id: newJoinId(), status: 'pending', public_key: share.slice(2) },
    { join_id: newJoinId(), status: 'new', public_key: share }
  ]) {
    const relay = await startRelay(t)
    relay.attempts.push(attempt)
    await t.rejects(host(t, relay).running, { name: 'ClientError', code: 'BAD_ANSWER' })
    t.same(relay.acts, [])
  }
  const unconfirmed = await startRelay(t)
  const { running } = host(t, unconfirmed)
  const joiner = (await joinersOf(unconfirmed.member.sessionId, PASSPHRASE))()
  await unconfirmed.begin(joiner.share)
  Object.assign(unconfirmed.attempts[0] ?? {}, { status: 'confirmed' })
  unconfirmed.settle().catch(() => {})
  await t.rejects(running, { code: 'BAD_ANSWER' })
})

t.test('with the server: two joiners get the same key, a third one no place', async (t) => {
  const { origin } = await startServer(t)
  const hosting = await startHosting(t, { server: origin }, { password: PASSPHRASE, maxJoiners: 2 })
  const join = () => joinSession({ server: origin }, { code: `${hosting.code}-${PASSPHRASE}` })
  const joined = await Promise.all([join(), join()])
  for (const { member } of joined) t.same(member.contentKey, hosting.member.contentKey)
  await eventually(() => hosting.verifiers.length === 2)
  t.same([...hosting.verifiers].sort(), joined.map(({ verifier }) => verifier).sort())
  await t.rejects(join(), { code: 'SESSION_FULL' })
})

t.test('with the server: five wrong passwords lock it on both sides', async (t) => {
  const { origin } = await startServer(t)
  const hosting = await startHosting(t, { server: origin }, { password: PASSPHRASE })
  for (let i = 0; i < MAX_FAILURES; i++) {
    await t.rejects(joinSession({ server: origin }, { code: hosting.code, password: `wrong password ${i}` }), { code: 'WRONG_PASSWORD' })
  }
  await eventually(() => hosting.log.includes('locked server'))
  t.ok(hosting.log.includes('locked guesses'))
  await t.rejects(joinSession({ server: origin }, { code: hosting.code, password: PASSPHRASE }), { code: 'GUESSING_SUSPECTED' })
})

t.test('with the server: a restart of it in between', async (t) => {
  const folder = await temporaryFolder(t)
  const environment = { UPLOAD_FOLDER: folder, SESSION_STORE: 'embedded', SESSION_SECRET: toHex(randomBytes(32)) }
  const before = await startServer(t, environment)
  let { origin } = before
  const connection = { server: before.origin, fetch: (url: string, init: RequestInit) => fetch(url.replace(before.origin, origin), init) }
  const { member, verificationCode } = await createSession(connection, { password: PASSWORD })
  const { log, stop } = host(t, { connection, member }, { password: PASSWORD })
  await delay(500)
  await before.app.close()
  origin = (await startServer(t, environment)).origin
  const joined = await joinSession(connection, { code: `${member.sessionId}-${verificationCode}`, password: PASSWORD })
  t.same(joined.member.contentKey, member.contentKey)
  await eventually(() => log.includes('joined'))
  await stop()
})
