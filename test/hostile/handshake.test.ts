import t from 'tap'
import type { AttackName } from './attacks.js'
import { commandLine } from './clients.js'
import { play } from './scene.js'

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
  t.match(await play(t, { attack: 'none', client, sender: 'ends' }), { exit: 0, senderExit: 0, whole: ['one.bin', 'two.bin'], wrong: [] })
})

for (const [attack, { exit, code, sender }] of Object.entries(REFUSALS)) {
  t.test(`${attack} is refused, and nothing is received`, async (t) => {
    const scene = await play(t, { attack: attack as AttackName, client, ...(sender !== undefined && { sender: new RegExp(`"event":"${sender}"`) }) })
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
