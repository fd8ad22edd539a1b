import t from 'tap'
import { readCode, suggestionsFor } from '../../web/input/entered-code.js'

t.test('a code is read however it is typed', (t) => {
  const whole = { sessionId: 'a1b2c3d4', verificationCode: '123456', passphrase: 'absent-mango-river', server: undefined }
  for (const text of ['a1b2c3d4-123456-absent-mango-river', ' A1B2 C3D4  123 456 Absent Mango River ', 'a1b2c3d4-123456-abse-mang-rive', 'a1b2 c3d4-123456–absent—mango river']) t.same(readCode(text), whole, text)
  t.same(readCode('https://send.example.org/#a1b2c3d4-123456-absent-mango-river'), { ...whole, server: 'https://send.example.org' })
  t.same(readCode('1234deca-123456').sessionId, '1234deca')
  t.same(readCode('1234 deca 123 456').sessionId, '1234deca', 'letters of an id are no word')
  for (const text of ['', 'a1b2c3d4-123456-ab-mango-river', 'a1b2c3d4-123456-absent-mango-xyz', 'a1b2c3d4-absent-mango-river']) t.throws(() => readCode(text), { code: 'CODE_INVALID' }, text)
  t.end()
})

t.test('words are suggested when few are left', (t) => {
  t.same(suggestionsFor('a1b2c3d4-123456-mang'), ['a1b2c3d4-123456-mango'])
  t.same(suggestionsFor('A1B2 C3D4 123 456 absent riv').map((text) => text.slice(-6)), [' rival', ' river'])
  for (const text of ['', 'a1b2c3d4-123456-a', 'a1b2c3d4-123456-st', 'a1b2c3d4-123456-man', 'a1b2c3d4-mang', 'a1b2c3d4-123456-mango']) t.same(suggestionsFor(text), [], text)
  t.end()
})
