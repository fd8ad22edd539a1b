import t from 'tap'
import { toHex, utf8 } from '../../lib/crypto/bytes.js'
import { deriveW, preparePassword } from '../../lib/crypto/password.js'
import { sessionId } from './fixtures/helpers.js'

const accepted: Array<[name: string, password: string, prepared: string]> = [
  ['ASCII', 'correct horse', 'correct horse'],
  ['spaces at both ends are kept', '  horse  ', '  horse  '],
  ['no-break space', 'Caf\u00e9\u00a0otter', 'Caf\u00e9 otter'],
  ['every other space separator', '\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000', ' '.repeat(15)],
  ['NFD becomes NFC', 'Cafe\u0301 otter', 'Caf\u00e9 otter'],
  ['Angstrom sign', '\u212b\u212b\u212b\u212b', '\u00c5\u00c5\u00c5\u00c5'],
  ['no compatibility mapping', '\ufb01\ufb01\ufb01', '\ufb01\ufb01\ufb01'],
  ['no case mapping', 'PassWord', 'PassWord'],
  ['a whole surrogate pair', '\u{1f600}\u{1f600}', '\u{1f600}\u{1f600}'],
  ['8 bytes', '12345678', '12345678'],
  ['8 bytes, 4 characters', '\u00e9\u00e9\u00e9\u00e9', '\u00e9\u00e9\u00e9\u00e9'],
  ['1024 bytes', 'x'.repeat(1024), 'x'.repeat(1024)],
  ['1026 bytes that are 1024 after NFC', 'e\u0301'.repeat(2) + 'x'.repeat(1020), '\u00e9\u00e9' + 'x'.repeat(1020)],
  ['a line separator is not a control', 'line\u2028line', 'line\u2028line'],
  ['a zero width joiner is not a control', 'zero\u200djoin', 'zero\u200djoin']
]

const refused: Array<[name: string, password: string]> = [
  ['empty', ''],
  ['7 bytes', '1234567'],
  ['1025 bytes', 'x'.repeat(1025)],
  ['1025 bytes in 513 characters', '\u00e9'.repeat(512) + 'x'],
  ['9 bytes that are 7 after NFC', 'e\u0301e\u0301abc'],
  ['10 bytes that are 7 with plain spaces', 'abcd\u3000\u3000ef'.slice(0, 7)],
  ['lone high surrogate', 'password\ud83d'],
  ['lone low surrogate', '\ude00password'],
  ['surrogates in the wrong order', 'pass\ude00\ud83dword'],
  ['NUL', 'pass\0word'],
  ['tab', 'pass\tword'],
  ['line feed at the end', 'password\n'],
  ['DEL', 'pass\u007fword'],
  ['C1 control', 'pass\u0085word']
]

t.test('passwords that are accepted', (t) => {
  for (const [name, password, prepared] of accepted) t.equal(toHex(preparePassword(password)), toHex(utf8(prepared)), name)
  t.end()
})

t.test('passwords that are refused', (t) => {
  for (const [name, password] of refused) t.throws(() => preparePassword(password), { code: 'PASSWORD_INVALID' }, name)
  t.end()
})

t.test('w depends on the password and on the session, not on how the password was typed', async (t) => {
  const sid = sessionId('0123abcd')
  const w = toHex(await deriveW('Caf\u00e9 otter', sid))
  t.equal(toHex(await deriveW('Cafe\u0301\u00a0otter', sid)), w)
  t.equal(toHex(await deriveW('Caf\u00e9 otter', sessionId('0123abce'))) === w, false)
  t.equal(toHex(await deriveW('Caf\u00e9 ottes', sid)) === w, false)
  await t.rejects(deriveW('short', sid), { code: 'PASSWORD_INVALID' })
})
