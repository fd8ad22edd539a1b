import fc from 'fast-check'
import t from 'tap'
import { completeWord, formatCode, generatePassphrase, linkTo, parseCode, parseCodeOrLink } from '../../client/code.js'
import { ClientError } from '../../client/errors.js'

const PARTS = { sessionId: 'a1b2c3d4', verificationCode: '123456', passphrase: 'absent-mango-river' }
const CODE = 'a1b2c3d4-123456-absent-mango-river'
const invalid = { name: 'ClientError', code: 'CODE_INVALID' }

t.test('a code, as the protocol writes it', (t) => {
  const parsed = parseCode(CODE)
  t.same(parsed, PARTS)
  t.equal(formatCode(parsed), CODE)
  t.same(parseCode('a1b2c3d4-123456'), { ...PARTS, passphrase: undefined })
  t.equal(formatCode(parseCode('a1b2c3d4-123456')), 'a1b2c3d4-123456')
  t.end()
})

for (const typed of [
  'A1B2C3D4-123456-Absent-Mango-RIVER',
  '  a1b2c3d4 123456 absent mango river\n',
  'a1b2 c3d4 123 456 absent  mango\triver',
  'a1b2c3d4–123456—absent‑mango - river',
  '-a1b2c3d4-123456-absent-mango-river-'
]) {
  t.test(`read kindly: ${JSON.stringify(typed)}`, (t) => {
    t.same(parseCode(typed), PARTS)
    t.end()
  })
}

for (const typed of [
  '', 'a1b2c3d4', 'a1b2c3d-123456', 'a1b2c3dg-123456', 'a1b2c3d4-12345', 'a1b2c3d4-1234567', 'a1b2c3d4-12345x',
  'a1b2c3d4123456', 'a1b2c3d4-123456-absent-mango', 'a1b2c3d4-123456-absent-mango-rivver', 'a1b2c3d4-123456-absent-mango-river-é',
  'a1b2c3d4-١٢٣٤٥٦', 'a1b2c3d4-123456-__proto__-mango-river', 'a1b2c3d4-123456-absent_mango_river'
]) {
  t.test(`refused: ${JSON.stringify(typed)}`, (t) => {
    t.throws(() => parseCode(typed), invalid)
    t.end()
  })
}

t.test('a failure tells which word, and not what was typed', (t) => {
  try {
    parseCode('a1b2c3d4-654321-absent-mangoo-river')
    t.fail('refused')
  } catch (error) {
    t.ok(error instanceof ClientError)
    t.match(String(error), /word 2/)
    t.notMatch(String(error), /mangoo|654321/)
  }
  try {
    parseCodeOrLink('http://[broken/#a1b2c3d4-123456-absent-mango-river')
    t.fail('refused')
  } catch (error) {
    t.match(error, invalid)
    t.equal((error as Error).cause, undefined, 'nor does a cause, which would quote the link')
  }
  t.end()
})

t.test('a link', (t) => {
  t.equal(linkTo('https://send.example.org/box', CODE), `https://send.example.org/box/#${CODE}`)
  t.same(parseCodeOrLink(linkTo('https://send.example.org', CODE)), { ...PARTS, server: 'https://send.example.org' })
  t.same(parseCodeOrLink(`\n${linkTo('HTTPS://Send.example.org:8443/box', CODE)} `), { ...PARTS, server: 'https://send.example.org:8443/box' })
  t.same(parseCodeOrLink('http://localhost:3000/#a1b2c3d4%20123456'), { ...PARTS, passphrase: undefined, server: 'http://localhost:3000' })
  t.same(parseCodeOrLink(CODE), { ...PARTS, server: undefined })
  for (const link of ['https://send.example.org', 'https://send.example.org/#', 'https://send.example.org/#%', `ftp://send.example.org/#${CODE}`]) {
    t.throws(() => parseCodeOrLink(link), invalid, link)
  }
  t.end()
})

t.test('a passphrase has 11 bits in each word, every value once', (t) => {
  const words = new Set(Array.from({ length: 2048 }, (_, i) => generatePassphrase(3, () => Uint8Array.of(i >> 8, i & 255, 0, 0, 0, 1))))
  t.equal(words.size, 2048)
  t.ok(words.has('abandon-abandon-ability') && words.has('zoo-abandon-ability'))
  t.equal(generatePassphrase(3, () => Uint8Array.of(0xf8, 0, 0xff, 0xff, 0x07, 0xff)), 'abandon-zoo-zoo', 'the upper bits count for nothing')
  t.equal(generatePassphrase(5).split('-').length, 5)
  t.not(generatePassphrase(), generatePassphrase())
  for (const few of [2, 0, -1, 3.5, Number.NaN]) t.throws(() => generatePassphrase(few), RangeError, String(few))
  t.throws(() => generatePassphrase(3, () => new Uint8Array(5)), RangeError, 'a source that gives too little')
  t.end()
})

t.test('what is generated is read again, however it is typed', (t) => {
  const digits = fc.stringMatching(/^[0-9]{6}$/)
  const ids = fc.stringMatching(/^[0-9a-f]{8}$/)
  const separators = fc.constantFrom('-', ' ', '  ', '\u2013', ' - ')
  fc.assert(fc.property(ids, digits, fc.integer({ min: 3, max: 9 }), separators, fc.boolean(), (id, verificationCode, count, separator, upper) => {
    const { sessionId } = parseCode(`${id}-${verificationCode}`)
    const code = { sessionId, verificationCode, passphrase: generatePassphrase(count) }
    const spoken = formatCode(code).replaceAll('-', separator)
    t.strictSame(parseCode(upper ? spoken.toUpperCase() : spoken), code)
  }), { numRuns: 50 })
  t.end()
})

t.test('words are completed', (t) => {
  t.same(completeWord('aban'), ['abandon'])
  t.same(completeWord('ZO'), ['zone', 'zoo'])
  t.same(completeWord(''), [])
  t.same(completeWord('qq'), [])
  t.end()
})
