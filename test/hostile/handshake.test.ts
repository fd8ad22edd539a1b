import t from 'tap'
import { client, QUICK, refuses } from './handshake.js'
import { play } from './scene.js'

t.test('a proxy that alters nothing disturbs nothing', async (t) => {
  t.match(await play(t, { attack: 'none', client, sender: 'ends' }), { exit: 0, senderExit: 0, whole: ['one.bin', 'two.bin'], wrong: [] })
})

for (const attack of QUICK) await refuses(t, attack)

t.test('a session of another kind than was asked for is not used', async (t) => {
  const scene = await play(t, { attack: 'kind-at-create', client })
  t.equal(scene.senderExit, 1)
  t.match(scene.sender, '"code":"UNEXPECTED_KIND"')
  t.notMatch(scene.sender, '"event":"session"')
})
