import { availableParallelism } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { newSessionId } from '../../lib/new-ids.js'
import { deriveW } from '../../lib/crypto/password.js'
import { PasswordStretching } from '../../lib/sessions/password-stretching.js'

const RUNNING = Math.max(1, Math.min(3, availableParallelism() - 1))
const WAITING = 32
const PASSWORD = 'correct horse battery staple'
const nobody = new AbortController().signal

/** PBKDF2 in the test's hand: derivations begin and stay under way until they are told to end. */
function holdPbkdf2 (t: Test): { readonly running: number, readonly most: number, readonly begun: number, endOne (): void, endAll (): void } {
  const { subtle } = crypto
  const original = subtle.deriveBits.bind(subtle)
  const held: Array<() => void> = []
  const state = {
    running: 0,
    most: 0,
    begun: 0,
    endOne: () => { held.shift()?.() },
    /** Those that begin later too. */
    endAll: () => {
      holding = false
      for (const end of held.splice(0)) end()
    }
  }
  let holding = true
  const deriveBits = async (...parameters: Parameters<typeof original>): Promise<ArrayBuffer> => {
    const [algorithm] = parameters
    if (typeof algorithm === 'string' || algorithm.name !== 'PBKDF2') return await original(...parameters)
    state.begun += 1
    state.running += 1
    state.most = Math.max(state.most, state.running)
    if (holding) await new Promise<void>((resolve) => { held.push(resolve) })
    state.running -= 1
    return new ArrayBuffer(32)
  }
  subtle.deriveBits = deriveBits
  t.teardown(() => { subtle.deriveBits = original })
  return state
}

/** Until every derivation that may begin has begun. */
async function settled (): Promise<void> {
  for (let i = 0; i < 20; i++) await turn()
}

const derive = (stretching: PasswordStretching, signal = nobody): Promise<unknown> => stretching.derive(PASSWORD, newSessionId(), signal)

t.test('gives what deriveW gives', async (t) => {
  const id = newSessionId()
  t.same(await new PasswordStretching().derive(PASSWORD, id, nobody), await deriveW(PASSWORD, id))
  await t.rejects(new PasswordStretching().derive('short', id, nobody), { code: 'PASSWORD_INVALID' })
})

t.test('a few run, 32 wait, and the rest are told to come back', async (t) => {
  const pbkdf2 = holdPbkdf2(t)
  const stretching = new PasswordStretching()
  const accepted = Array.from({ length: RUNNING + WAITING }, () => derive(stretching))
  await settled()
  t.equal(pbkdf2.running, RUNNING)
  for (let i = 0; i < 3; i++) await t.rejects(derive(stretching), { code: 'SERVER_BUSY', statusCode: 503, retryAfter: 5 })
  pbkdf2.endOne()
  await accepted[0]
  const next = derive(stretching)
  await settled()
  await t.rejects(derive(stretching), { code: 'SERVER_BUSY' }, 'one ended, one came')
  pbkdf2.endAll()
  t.equal((await Promise.all([...accepted, next])).length, RUNNING + WAITING + 1)
  t.equal(pbkdf2.most, RUNNING)
})

t.test('one that nobody waits for any more never begins, and makes room', async (t) => {
  const pbkdf2 = holdPbkdf2(t)
  const stretching = new PasswordStretching()
  const running = Array.from({ length: RUNNING }, () => derive(stretching))
  const client = new AbortController()
  const waiting = Array.from({ length: WAITING }, () => derive(stretching, client.signal))
  const refused = Promise.allSettled(waiting)
  await settled()
  client.abort(new Error('the client went'))
  t.ok((await refused).every((one) => one.status === 'rejected' && one.reason === client.signal.reason))
  const next = derive(stretching)
  await t.rejects(derive(stretching, client.signal), /the client went/, 'nor one whose client had gone before')
  await settled()
  pbkdf2.endAll()
  await Promise.all([...running, next])
  t.equal(pbkdf2.begun, RUNNING + 1)
})

t.test('clients that come and go do not make more run than may', async (t) => {
  const pbkdf2 = holdPbkdf2(t)
  const stretching = new PasswordStretching()
  for (let i = 0; i < 10; i++) {
    const client = new AbortController()
    const result = derive(stretching, client.signal)
    result.catch(() => {})
    await settled()
    client.abort(new Error('the client went'))
    await settled()
  }
  t.ok(pbkdf2.most <= RUNNING, `${pbkdf2.most} ran at once, ${RUNNING} may`)
  pbkdf2.endAll()
})

t.test('a result for which nobody waits any more is not handed out', async (t) => {
  const pbkdf2 = holdPbkdf2(t)
  const client = new AbortController()
  const result = derive(new PasswordStretching(), client.signal)
  const refused = t.rejects(result, /the client went/)
  await settled()
  client.abort(new Error('the client went'))
  pbkdf2.endAll()
  await refused
})

t.test('one that fails makes room', async (t) => {
  const stretching = new PasswordStretching()
  for (let i = 0; i < WAITING + 5; i++) await t.rejects(stretching.derive('short', newSessionId(), nobody), { code: 'PASSWORD_INVALID' })
})
