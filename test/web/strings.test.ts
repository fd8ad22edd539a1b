/** The catalogues hold the same texts, and none is left out. */

import t from 'tap'
import { ar } from '../../web/strings/ar.js'
import { de } from '../../web/strings/de.js'
import { en } from '../../web/strings/en.js'

/** Every text by its path; what a function makes of some numbers and names stands for it. */
function textsOf (catalogue: object, path = ''): Map<string, string> {
  const texts = new Map<string, string>()
  for (const [key, value] of Object.entries(catalogue) as Array<[string, unknown]>) {
    if (typeof value === 'string') texts.set(path + key, value)
    else if (typeof value === 'function') texts.set(path + key, (value as (...args: unknown[]) => string)(2, '7 MB', 3))
    else for (const [inner, text] of textsOf(value as object, `${path}${key}.`)) texts.set(inner, text)
  }
  return texts
}

const english = textsOf(en)
/** What has no text on purpose, and what is the same in another language. */
const EMPTY = ['receiving.states.offered']
const SAME = ['title', ...EMPTY]

for (const [name, catalogue] of Object.entries({ de, ar })) {
  t.test(name, (t) => {
    const texts = textsOf(catalogue)
    t.same([...texts.keys()], [...english.keys()])
    t.same([...texts].filter(([, text]) => text.trim() === '').map(([key]) => key), EMPTY)
    const untranslated = [...texts].filter(([key, text]) => text === english.get(key) && !SAME.includes(key) && text.length > 12)
    t.same(untranslated, [])
    t.end()
  })
}

t.test('numbers take the forms of their language', (t) => {
  t.same([1, 2, 1000].map(en.files), ['1 file', '2 files', '1,000 files'])
  t.same([1, 2, 1000].map(de.files), ['1 Datei', '2 Dateien', '1.000 Dateien'])
  t.equal(new Set([0, 1, 2, 3, 11, 100].map(ar.files)).size, 6)
  t.end()
})
