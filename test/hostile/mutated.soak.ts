/** Every attack is seen to succeed where what stops it has been taken out, so that the quick tests are known to test something. */

import t from 'tap'
import { commandLine } from './clients.js'
import { mutated, MUTATIONS } from './mutations.js'
import { play, type Scene } from './scene.js'

const told = ({ sender, receiver, proxy }: Scene): string => [sender, receiver, proxy].join('\n')

for (const { attack, checks, alone = checks, options, succeeded } of MUTATIONS) {
  t.test(`${attack} succeeds without ${checks.join(', ')}`, async (t) => {
    const scene = await play(t, { attack, client: commandLine(await mutated(t, checks)), patience: 120_000, ...options })
    t.ok(succeeded(scene), told(scene))
  })
  if (checks.length === 1) continue
  for (const check of alone) {
    t.test(`${attack} is stopped by ${check} alone`, async (t) => {
      const others = checks.filter((other) => other !== check)
      const scene = await play(t, { attack, client: commandLine(await mutated(t, others)), patience: 120_000, sender: 'ends', ...options })
      t.notOk(succeeded(scene), told(scene))
      t.same(scene.wrong, [])
      t.ok([scene.exit, scene.senderExit].includes(6), told(scene))
    })
  }
}
