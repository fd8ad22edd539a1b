import t from 'tap'
import { distinctNames, safeFileName } from '../../lib/files/names.js'

t.test('files of the same name are numbered, past the names that there are', (t) => {
  const cases: Array<[given: string[], distinct: string[]]> = [
    [['a.txt', 'b.txt'], ['a.txt', 'b.txt']],
    [['a.txt', 'a.txt', 'a.txt'], ['a.txt', 'a (2).txt', 'a (3).txt']],
    [['report.pdf', 'report.pdf', 'report (2).pdf'], ['report.pdf', 'report (3).pdf', 'report (2).pdf']],
    [['report (2).pdf', 'report.pdf', 'report.pdf', 'REPORT (2).PDF'], ['report (2).pdf', 'report.pdf', 'report (3).pdf', 'REPORT (2) (2).PDF']],
    [['A.txt', 'a.TXT', 'Straße', 'STRASSE', 'Ärger', 'ärger'], ['A.txt', 'a (2).TXT', 'Straße', 'STRASSE (2)', 'Ärger', 'ärger (2)']],
    [['file', 'file', '.profile', '.profile'], ['file', 'file (2)', '.profile', '.profile (2)']]
  ]
  for (const [given, distinct] of cases) t.same(distinctNames(given), distinct, given.join())
  t.end()
})

t.test('a number keeps a name safe, its extension and its length', (t) => {
  const long = `${'日'.repeat(83)}.jpeg`
  const [first, second = '', third = ''] = distinctNames([long, long, long])
  t.equal(first, long)
  t.equal(second, `${'日'.repeat(82)} (2).jpeg`)
  t.equal(third, `${'日'.repeat(82)} (3).jpeg`)
  t.equal(safeFileName(second), second)
  const many = distinctNames(Array.from({ length: 10_000 }, () => 'x'.repeat(255)))
  t.equal(new Set(many).size, many.length)
  t.equal(many.at(-1), `${'x'.repeat(247)} (10000)`)
  t.end()
})
