import t from 'tap'
import { commandLine } from './clients.js'
import { play } from './scene.js'

const client = commandLine()

t.test('what a receiver sends in return arrives', async (t) => {
  t.match(await play(t, { attack: 'none', client, inReturn: true, sender: 'ends' }), { exit: 0, senderExit: 0, whole: ['one.bin', 'two.bin', 'own.bin'], wrong: [] })
})

t.test('nobody takes his own files for those of the others', async (t) => {
  const scene = await play(t, { attack: 'own-file-reflected', client, inReturn: true, sender: 'ends' })
  t.same(scene.wrong, [])
  t.equal(scene.senderExit, 6, scene.sender)
  t.match(scene.sender, '"code":"FILE_DAMAGED"')
})

t.test('a list of which the end is not known is not taken for whole', async (t) => {
  const scene = await play(t, { attack: 'mark-altered', client, patience: 15_000 })
  t.same([scene.whole, scene.wrong], [['one.bin', 'two.bin'], []])
  t.not(scene.exit, 0)
  t.match(scene.receiver, '"code":"FILE_DAMAGED"')
  t.not(scene.senderExit, 0)
})
