/** Processes of one account in one session, whose folders go when one of them is done with them. */

import t from 'tap'
import { guessCounter } from '../../cli/state/guess-counter.js'
import { StateFolder } from '../../cli/state/state-folder.js'
import type { DeriveW } from '../../lib/crypto/password.js'
import { isSessionId } from '../../lib/ids.js'
import { temporaryFolder } from '../helpers/server.js'

const ROUNDS = 100
const AT_ONCE = [0, 1, 2, 3]

const sessionId = '0123abcd'
if (!isSessionId(sessionId)) throw new TypeError('it is one')
const derive: DeriveW = () => Promise.resolve(new Uint8Array(32).fill(1))
const owner = { sessionId, role: 'joiner', passphrase: 'absent-mango-river', derive } as const

t.before(async () => { process.env['XDG_STATE_HOME'] = await temporaryFolder(t) })
t.teardown(() => { delete process.env['XDG_STATE_HOME'] })

t.test('a guess is written down while the folder of guesses goes', async (t) => {
  await Promise.all(AT_ONCE.map(async () => {
    for (let i = 0; i < ROUNDS; i++) {
      const { onGuess } = await guessCounter(sessionId)
      await onGuess(1)
      await onGuess(0)
    }
  }))
  t.equal((await guessCounter(sessionId)).count, 0)
})

t.test('a folder is made while that of another run goes, and none is taken for an interrupted one', async (t) => {
  await Promise.all(AT_ONCE.map(async () => {
    for (let i = 0; i < ROUNDS; i++) {
      await StateFolder.refuseInterrupted(sessionId, 'joiner')
      await (await StateFolder.create(owner, {})).remove()
    }
  }))
  t.pass('each of them')
  await (await StateFolder.create(owner, {})).keep()
  await t.rejects(StateFolder.refuseInterrupted(sessionId, 'joiner'), { message: /--resume/ })
})
