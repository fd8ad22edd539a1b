import { createHash } from 'node:crypto'
import t from 'tap'
import { codesMatch, findHolder, hashToken, newToken, newVerificationCode } from '../../lib/sessions/tokens.js'

t.test('a token is 32 random bytes in base64url; what is kept is its SHA-256', async (t) => {
  const issued = await Promise.all(Array.from({ length: 50 }, () => newToken()))
  for (const { token, hash } of issued) {
    t.match(token, /^[A-Za-z0-9_-]{43}$/)
    t.equal(Buffer.from(token, 'base64url').length, 32)
    t.equal(hash, createHash('sha256').update(Buffer.from(token, 'base64url')).digest('hex'))
    t.equal(await hashToken(token), hash)
  }
  t.equal(new Set(issued.map(({ token }) => token)).size, 50)
})

t.test('what cannot be a token has no hash', async (t) => {
  const { token } = await newToken()
  const junk = {
    empty: '',
    'one character short': token.slice(1),
    'one character long': `${token}A`,
    padded: `${token}=`,
    'with a line break': `${token}\n`,
    'with a space before': ` ${token}`,
    'in the other base64': `${token.slice(0, 42)}+`,
    'a slash': `/${token.slice(1)}`,
    'bits after its last byte': `${token.slice(0, 42)}B`,
    'the hash instead': (await newToken()).hash,
    'Unicode that looks alike': `${token.slice(0, 42)}Ａ`,
    'very long': 'A'.repeat(1_000_000)
  }
  for (const [name, text] of Object.entries(junk)) t.equal(await hashToken(text), undefined, name)
})

t.test('the holder is found wherever he stands, and nobody for another hash', async (t) => {
  const tokens = await Promise.all(Array.from({ length: 6 }, () => newToken()))
  const holders = tokens.map(({ hash }, index) => ({ tokenHash: hash, index }))
  for (const [index, { hash }] of tokens.entries()) t.equal((await findHolder(hash, holders))?.index, index)
  t.equal(await findHolder((await newToken()).hash, holders), undefined)
  t.equal(await findHolder('', holders), undefined)
  t.equal(await findHolder(tokens[0]?.hash.slice(0, -1) ?? '', holders), undefined, 'a beginning')
  const nobody: Array<{ readonly tokenHash: string }> = []
  t.equal(await findHolder(tokens[0]?.hash ?? '', nobody), undefined)
})

t.test('every holder is compared, the first one right or not', async (t) => {
  let compared = 0
  const holders = Array.from({ length: 5 }, () => ({
    get tokenHash (): string {
      compared += 1
      return 'ab'
    }
  }))
  await findHolder('ab', holders)
  t.equal(compared, 5)
})

t.test('codes are six decimal digits, and every digit stands everywhere about equally often', (t) => {
  const COUNT = 20_000
  const codes = Array.from({ length: COUNT }, () => newVerificationCode())
  t.same(codes.filter((code) => !/^\d{6}$/.test(code)), [])
  // A tenth of 20 000 has a standard deviation of 42: to be eight of them off takes 10¹⁵ runs.
  for (let position = 0; position < 6; position++) {
    for (const digit of '0123456789') {
      const count = codes.filter((code) => code[position] === digit).length
      t.ok(Math.abs(count - COUNT / 10) < 8 * 42, `${digit} at ${position}: ${count}`)
    }
  }
  t.end()
})

t.test('codes match only if they are the same text', async (t) => {
  t.equal(await codesMatch('012345', '012345'), true)
  for (const other of ['12345', '0123456', '012346', '', ' 12345', '０12345']) t.equal(await codesMatch(other, '012345'), false, other)
})
