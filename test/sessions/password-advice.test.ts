import t from 'tap'
import { adviseOnPassword } from '../../lib/sessions/password-advice.js'

t.test('weak passwords get advice', (t) => {
  for (const password of ['password', '12345678', 'qwertyuiop', 'aaaaaaaaaaaaaaaa', 'P@ssw0rd1', 'abcdefgh', '']) {
    const advice = adviseOnPassword(password) ?? ''
    t.match(advice, /^This password is easy to guess; three or more random words are better\./, password)
    t.notMatch(advice, / {2}|undefined|null/, password)
  }
  t.end()
})

t.test('strong passwords get none', (t) => {
  for (const password of ['correct horse battery staple', 'absent-mango-river', 'vq8#Lw2!pR', '三つの無作為な言葉']) t.equal(adviseOnPassword(password), undefined, password)
  t.end()
})

t.test('a long password is judged by its beginning, quickly', (t) => {
  const passwords = {
    letters: 'x7'.repeat(500),
    repeated: 'password'.repeat(125),
    'leet letters': '4@8({[</369(1!|l0$5+7%2'.repeat(50),
    digits: '1234567890'.repeat(100),
    'lone surrogates': '\ud83d'.repeat(1000),
    'an emoji cut in two': 'a'.repeat(39) + '😀'.repeat(500)
  }
  adviseOnPassword('the dictionaries are loaded')
  for (const [name, password] of Object.entries(passwords)) {
    const start = performance.now()
    adviseOnPassword(password)
    const ms = performance.now() - start
    t.ok(ms < 1000, `${name}: ${Math.round(ms)} ms`)
  }
  t.end()
})
