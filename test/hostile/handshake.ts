import type { Test } from 'tap'
import type { AttackName } from './attacks.js'
import { commandLine } from './clients.js'
import { play } from './scene.js'

/** The command, attacked. */
export const client = commandLine()

interface Refusal {
  readonly exit: number
  /** What the receiver ends with. */
  readonly code: string
  /** Whether the sender hears of a wrong password. */
  readonly sender?: 'refused' | 'joined'
}

/** What each attack on the handshake ends with. */
export const REFUSALS = {
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
} satisfies Partial<Record<AttackName, Refusal>>

/** Attacks whose refusal is seen by `npm test`: one of each kind; the others take their time in the long tests. */
export const QUICK: ReadonlyArray<keyof typeof REFUSALS> = ['pA-altered', 'pB-off-curve', 'wrapped-key-altered']

/** Plays an attack, and looks that it is refused and nothing received. */
export async function refuses (t: Test, attack: keyof typeof REFUSALS): Promise<void> {
  const { exit, code, sender }: Refusal = REFUSALS[attack]
  await t.test(`${attack} is refused, and nothing is received`, async (t) => {
    const scene = await play(t, { attack, client, ...(sender !== undefined && { sender: new RegExp(`"event":"${sender}"`) }) })
    t.equal(scene.exit, exit)
    t.match(scene.receiver, `"event":"error","code":"${code}","message":"`)
    t.same([scene.whole, scene.wrong], [[], []])
    t.equal(scene.senderExit, undefined, 'the sender waits for somebody better')
    t.equal(/"event":"(refused|joined)"/.exec(scene.sender)?.[1], sender)
  })
}
