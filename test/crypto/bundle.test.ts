/**
 * lib/crypto runs unchanged in browsers: a bundle of it runs where there are Web APIs and nothing of Node.
 *
 * What a bundler must do: build for the platform "browser". bn.js (`"buffer": false`) and brorand (`"crypto": false`), which
 * elliptic brings along, name in their package.json's `browser` field what is to be left out; a bundler that honours it puts an
 * empty module there, as esbuild does. Nothing needs an alias, a polyfill or an external.
 */

import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import t from 'tap'
import { projectPath } from '../helpers/project.js'

const bundled = async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [projectPath('test/crypto/fixtures/in-browser.ts')],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'bundle',
    target: 'es2022',
    write: false,
    metafile: true,
    logLevel: 'silent'
  })
  return { text: outputFiles.map(({ text }) => text).join(''), inputs: Object.keys(metafile.inputs) }
}

const webApis = { crypto, TextEncoder, TextDecoder, atob, btoa }
const missing = ['process', 'Buffer', 'global', 'require', 'module', 'setImmediate', 'window', 'self']

/** What the arithmetic looks up all the time, made local: a look-up in the global object of a context takes a microsecond. */
const hot = ['Math', 'Array', 'Uint8Array']

t.test('a handshake and containers, bundled, without Node', async (t) => {
  const { text, inputs } = await bundled()
  const context = createContext({ ...webApis })
  for (const name of missing) t.equal(runInContext(`typeof ${name}`, context), 'undefined', name)
  const call = `bundle.run('0123abcd', '${'ab'.repeat(16)}', 'correct horse battery')`
  const run: unknown = runInContext(`((${hot.join()}) => { ${text}\nreturn ${call} })(${hot.join()})`, context)
  const expected = { agreed: true, disagreed: false, sameVerifier: true, sameContentKey: true, empty: true, threeChunks: true, name: 'a' }
  t.same(JSON.parse(JSON.stringify(await run)), expected)
  // What stands behind "(disabled):" is an empty module.
  t.same(inputs.filter((input) => /^node_modules\/(buffer|process|crypto-browserify)\//.test(input)), [], 'no polyfill')
})
