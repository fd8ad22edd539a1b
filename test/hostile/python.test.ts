import t from 'tap'
import { needs } from '../helpers/services.js'
import type { AttackName } from './attacks.js'
import { python } from './clients.js'
import { play } from './scene.js'

/**
 * One of each kind: what the command line refuses, the client that was written from the protocol's page alone refuses as well. Its
 * chunks are of 256 KiB, of which a large file has five.
 */
const REFUSALS: Partial<Record<AttackName, RegExp>> = {
  'pB-reflected': /^Refused: the other side sent our own share back$/m,
  'cB-altered': /^Refused: the other side does not know the password/m,
  'kind-at-join': /^Refused: the server says that this session is managed/m,
  'files-swapped': /^refused one\.bin: this container was made for another file/m,
  'cut-before-the-last-chunk': /^refused one\.bin: the last chunk, number 3, was not sealed as it came$/m,
  'plays-creator': /^Refused: the other side does not know the password/m
}

for (const [attack, message] of Object.entries(REFUSALS)) {
  t.test(`${attack} is refused by the independent client`, async (t) => {
    if (!await needs(t, 'cryptography')) return
    const scene = await play(t, { attack: attack as AttackName, client: python })
    t.equal(scene.exit, 1)
    t.match(scene.receiver, message)
    t.same([scene.whole, scene.wrong], [[], []])
  })
}
