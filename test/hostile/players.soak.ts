import t from 'tap'
import { PASSWORD } from '../helpers/client.js'
import type { AttackName } from './attacks.js'
import { commandLine } from './clients.js'
import { play, type SceneOptions } from './scene.js'

const client = commandLine()
const plays = (attack: AttackName, options: Partial<SceneOptions> = {}) => ({ attack, client, ...options })

t.test('a server that joins with a guess is refused, and with the password it is not', async (t) => {
  const refused = await play(t, plays('plays-joiner', { until: /refused|guessed/, sender: /"event":"refused"/ }))
  t.match(refused.proxy, /^refused rejected$/m)
  t.match(refused.sender, '"event":"refused"')
  const right = await play(t, plays('plays-joiner', { guess: PASSWORD, until: /refused|guessed/ }))
  t.match(right.proxy, /^guessed one\.bin$/m, 'so it was the password alone that it was refused for')
})

t.test('a server that makes up joiners without end gets five answers', async (t) => {
  const { proxy, sender } = await play(t, plays('plays-joiners-without-end', { guess: PASSWORD, until: /guessed|gave up/, sender: /"event":"locked"/ }))
  t.match(proxy, /^attempt 5\nstep rejected\ngave up$/m)
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
