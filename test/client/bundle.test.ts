/** The client runs unchanged in browsers: a bundle of it works where there are Web APIs and nothing of Node. */

import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import t from 'tap'
import { projectPath } from '../helpers/project.js'
import { startServer } from '../helpers/server.js'

const webApis = {
  AbortController, AbortSignal, atob, Blob, btoa, clearTimeout, console, crypto, fetch, FormData, Headers, MessageChannel, ReadableStream, Response, setTimeout, TextDecoder, TextEncoder, TransformStream, URL, URLSearchParams, WritableStream
}
const missing = ['process', 'Buffer', 'global', 'require', 'module', 'setImmediate']
/** What the arithmetic looks up all the time, made local: a look-up in the global object of a context takes a microsecond. */
const hot = ['Math', 'Array', 'Uint8Array']

t.test('two people and some files, bundled, without Node', async (t) => {
  const { outputFiles, metafile } = await build({
    entryPoints: [projectPath('test/client/fixtures/in-browser.ts')],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'bundle',
    target: 'es2022',
    write: false,
    metafile: true,
    logLevel: 'silent'
  })
  const inputs = Object.keys(metafile.inputs)
  t.same(inputs.filter((input) => /^node_modules\/(buffer|process|crypto-browserify)\//.test(input)), [], 'no polyfill')
  const own = inputs.filter((input) => !/node_modules|\(disabled\)/.test(input) && !/^(client|lib\/crypto|test\/client)\//.test(input))
  t.same(own.sort(), ['lib/errors.ts', 'lib/ids.ts', 'lib/new-ids.ts'], 'of what is the server\'s, nothing')

  const { origin } = await startServer(t)
  const context = createContext({ ...webApis })
  for (const name of missing) t.equal(runInContext(`typeof ${name}`, context), 'undefined', name)
  const text = outputFiles.map((file) => file.text).join('')
  const ran: unknown = runInContext(`((${hot.join()}) => { ${text}\nreturn bundle.run('${origin}') })(${hot.join()})`, context)
  const { files, verifiers, status } = JSON.parse(JSON.stringify(await ran)) as { files: object, verifiers: string[], status: string }
  t.same(files, { '100.bin 100': true, '300000.bin 300000': true })
  t.equal(verifiers.length, 2)
  t.equal(verifiers[0], verifiers[1])
  t.equal(status, 'joined')
})
