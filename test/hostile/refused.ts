import type { Test } from 'tap'
import { isAttackName } from './attacks.js'
import { commandLine } from './clients.js'
import { play, type SceneOptions } from './scene.js'

/** How many of the two files each attack on what a file says of itself spoils, of such as travel alone. */
export const HEADERS: Readonly<Record<string, number>> = {
  'files-swapped': 2,
  'metadata-swapped': 2,
  replayed: 1,
  'cut-in-the-header': 2,
  'bit-in-the-commitment': 2,
  'bit-in-the-salt': 2,
  'writer-altered': 2,
  'metadata-altered': 2
}

/** And on its chunks. */
export const CHUNKS: Readonly<Record<string, number>> = {
  'cut-before-the-last-chunk': 2,
  'cut-in-a-chunk': 2,
  reordered: 2,
  'chunk-again': 2,
  'bit-in-a-chunk': 2,
  'bit-in-the-last-chunk': 2,
  'bytes-appended': 2,
  'chunk-appended': 2
}

/** Of such as come by the hundred. */
export const SMALL: Readonly<Record<string, number>> = {
  'files-swapped': 2,
  'metadata-swapped': 2,
  replayed: 1,
  'cut-before-the-last-chunk': 2,
  'cut-in-a-chunk': 2,
  'bit-in-a-chunk': 2,
  'bytes-appended': 2,
  'writer-altered': 2
}

/** Whether the command line ends with an error, names what is damaged, and keeps none of it. */
export function attacked (t: Test, attack: string, size: NonNullable<SceneOptions['size']>, damaged: number): void {
  t.test(`${attack}: ${damaged} of two ${size} files are refused`, async (t) => {
    if (!isAttackName(attack)) throw new Error(attack)
    const scene = await play(t, { attack, client: commandLine(), size, sender: 'ends' })
    t.equal(scene.exit, 6, scene.receiver)
    t.equal(scene.receiver.split('"code":"FILE_DAMAGED"').length - 1, damaged, 'each with its reason')
    t.same(scene.whole, ['one.bin', 'two.bin'].slice(0, 2 - damaged))
    t.same(scene.wrong, [])
    t.equal(scene.senderExit, 6, 'and the sender is not told that all is well')
  })
}
