/**
 * elliptic's open advisory, CVE-2025-14505, is about signatures by ECDSA. Nothing here makes any: a handshake works while every way to
 * one throws.
 */

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import t from 'tap'
import { projectPath } from '../helpers/project.js'

/** What elliptic signs and makes keys by. */
const SIGNING = ['ec', 'eddsa', 'ecdsa'] as const

const elliptic = createRequire(projectPath('package.json'))('elliptic') as Record<string, unknown>

t.test('a handshake takes nothing of elliptic that signs', async (t) => {
  t.equal(typeof elliptic['ec'], 'function', 'it is there')
  for (const name of SIGNING) Object.defineProperty(elliptic, name, { get: () => { throw new Error(`elliptic.${name} was used`) } })
  t.throws(() => elliptic['ec'], { message: 'elliptic.ec was used' })
  // Only now, so that what these modules take when they are loaded is seen, too.
  const { randomScalar, multiplyBase, multiply, decodePoint, encodePoint, prepareBase } = await import('../../lib/crypto/p256.js')
  const [x, y] = [randomScalar(), randomScalar()]
  prepareBase()
  t.same(encodePoint(multiply(decodePoint(encodePoint(multiplyBase(y))), x)), encodePoint(multiply(multiplyBase(x), y)))
})

t.test('its types know nothing that signs, so that a use would not compile', async (t) => {
  for (const path of ['types/elliptic.d.ts', 'lib/crypto/p256.ts']) {
    const code = (await readFile(projectPath(path), 'utf8')).replaceAll(/\/\*[\s\S]*?\*\//g, '')
    t.notMatch(code, /\b(?:ec|eddsa|ecdsa|sign|verify|derive|genKeyPair|keyPair|keyFrom\w+)\b/, path)
  }
})
