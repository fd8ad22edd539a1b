import t from 'tap'
import { adviseOnPassword } from '../../lib/sessions/password-advice.js'

t.test('weak passwords get advice', (t) => {
  for (const password of ['password', '12345678', 'qwertyuiop', 'aaaaaaaaaaaaaaaa', 'P@ssw0rd1', 'abcdefgh', 'Summer2024!', 'elizabeth1', '']) {
    t.match(adviseOnPassword(password), /^This password is easy to guess; three or more random words are better\.$/, password)
  }
  t.end()
})

t.test('strong passwords get none', (t) => {
  for (const password of ['correct horse battery staple', 'absent-mango-river', 'vq8#Lw2!pR', '三つの無作為な言葉']) t.equal(adviseOnPassword(password), undefined, password)
  t.end()
})

t.test('a long password is judged by its beginning', (t) => {
  t.ok(adviseOnPassword('a'.repeat(40) + 'vq8#Lw2!pR'), 'what stands behind it does not count')
  const passwords = {
    letters: 'x7'.repeat(500),
    repeated: 'password'.repeat(125),
    'leet letters': '4@8({[</369(1!|l0$5+7%2'.repeat(50),
    digits: '1234567890'.repeat(100),
    'lone surrogates': '\ud83d'.repeat(1000),
    'an emoji cut in two': 'a'.repeat(39) + '😀'.repeat(500)
  }
  for (const [name, password] of Object.entries(passwords)) {
    t.equal(adviseOnPassword(password), adviseOnPassword(password.slice(0, 40)), name)
  }
  t.end()
})
