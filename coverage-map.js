import { readdirSync } from 'node:fs'

const crypto = readdirSync('lib/crypto').filter((name) => name.endsWith('.ts')).map((name) => `lib/crypto/${name}`)

/** What must be covered completely, by which tests: the cryptography, by its own. */
export default (test) => test.startsWith('test/crypto/') ? crypto : []
