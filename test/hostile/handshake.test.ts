import t from 'tap'
import { PASSWORD } from '../helpers/client.js'
import type { AttackName } from './attacks.js'
import { commandLine } from './clients.js'
import { play, type SceneOptions } from './scene.js'

const client = commandLine()

interface Refusal {
  readonly exit: number
  /** What the receiver ends with. */
  readonly code: string
  /** Whether the sender hears of a wrong password. */
  readonly sender?: 'refused' | 'joined'
}

const REFUSALS: Partial<Record<AttackName, Refusal>> = {
  'pA-altered': { exit: 3, code: 'WRONG_PASSWORD', sender: 'refused' },
  'pA-off-curve': { exit: 3, code: 'REJECTED', sender: 'refused' },
  'pB-altered': { exit: 3, code: 'WRONG_PASSWORD', sender: 'refused' },
  'pB-off-curve': { exit: 3, code: 'SHARE_REFUSED' },
  'pB-reflected': { exit: 3, code: 'SHARE_REFUSED' },
  'cA-altered': { exit: 3, code: 'WRONG_PASSWORD', sender: 'refused' },
  'cB-altered': { exit: 3, code: 'WRONG_PASSWORD', sender: 'joined' },
  'cB-reflected': { exit: 3, code: 'WRONG_PASSWORD', sender: 'joined' },
  'wrapped-key-altered': { exit: 3, code: 'WRAPPED_KEY_REFUSED', sender: 'joined' },
  'kind-at-join': { exit: 1, code: 'UNEXPECTED_KIND' },
  'plays-creator': { exit: 3, code: 'WRONG_PASSWORD' }
}

t.test('a proxy that alters nothing disturbs nothing', async (t) => {
  t.match(await play(t, { attack: 'none', client }), { exit: 0, senderExit: 0, whole: ['one.bin', 'two.bin'], wrong: [] })
})

for (const [attack, { exit, code, sender }] of Object.entries(REFUSALS)) {
  t.test(`${attack} is refused, and nothing is received`, async (t) => {
    const scene = await play(t, { attack: attack as AttackName, client })
    t.equal(scene.exit, exit)
    t.match(scene.receiver, `"event":"error","code":"${code}","message":"`)
    t.same([scene.whole, scene.wrong], [[], []])
    t.equal(scene.senderExit, undefined, 'the sender waits for somebody better')
    t.equal(/"event":"(refused|joined)"/.exec(scene.sender)?.[1], sender)
  })
}

t.test('a session of another kind than was asked for is not used', async (t) => {
  const scene = await play(t, { attack: 'kind-at-create', client })
  t.equal(scene.senderExit, 1)
  t.match(scene.sender, '"code":"UNEXPECTED_KIND"')
  t.notMatch(scene.sender, '"event":"session"')
})

const plays = (attack: AttackName, options: Partial<SceneOptions> = {}) => ({ attack, client, ...options })

t.test('a server that joins with a guess is refused, and with the password it is not', async (t) => {
  const refused = await play(t, plays('plays-joiner', { until: /refused|guessed/ }))
  t.match(refused.proxy, /^refused rejected$/m)
  t.match(refused.sender, '"event":"refused"')
  const right = await play(t, plays('plays-joiner', { guess: PASSWORD, until: /refused|guessed/ }))
  t.match(right.proxy, /^guessed one\.bin$/m, 'so it was the password alone that it was refused for')
})

t.test('a server that makes up joiners without end gets five answers', async (t) => {
  const { proxy, sender } = await play(t, plays('plays-joiners-without-end', { guess: PASSWORD, until: /guessed|gave up/ }))
  t.match(proxy, /^attempt 5\ngave up$/m)
  t.notMatch(proxy, 'guessed')
  t.match(sender, '"event":"locked"')
})

t.test('a server that answers joiners with a guess gets five confirmations, and with the password it would be believed', async (t) => {
  const scene = await play(t, plays('plays-creator', { receivers: 6 }))
  t.equal(scene.proxy.split('step confirmed').length - 1, 5)
  t.equal(scene.exit, 3)
  t.match(scene.receiver, '"code":"GUESSING_SUSPECTED"')
  t.same([scene.whole, scene.wrong], [[], []])
  const right = await play(t, plays('plays-creator', { guess: PASSWORD, patience: 10_000 }))
  t.same(right.wrong, ['planted.txt'], 'so it was the password alone that it was refused for')
})
