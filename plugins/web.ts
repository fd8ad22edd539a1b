import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import fp from 'fastify-plugin'
import { packageFolder } from '../lib/version.js'

/** Where `npm run build` puts the page. */
const BUILT = join(packageFolder, 'dist', 'web')

/**
 * What the page may do: run its own scripts and nothing that was put together from text, talk to its own server and to nobody
 * else. No policy of Trusted Types can be made, so no text ever becomes a script.
 */
const PAGE_CSP = [
  "default-src 'none'",
  "base-uri 'none'",
  "connect-src 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "img-src 'self'",
  "manifest-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join('; ')

/** Seconds for which a file whose name holds its digest may be kept. */
const FOR_EVER = 31_536_000

/** The web page, at `/`. Without it the server does everything else. */
export default fp<{ readonly folder?: string | undefined }>(async (app, { folder = BUILT }) => {
  if (!existsSync(join(folder, 'index.html'))) {
    app.log.warn('The web page has not been built, so there is none at /. npm run build makes it.')
    return
  }
  await app.register(fastifyStatic, {
    root: folder,
    // A route for each file that is there: anything else stays the API's to answer.
    wildcard: false,
    cacheControl: false,
    setHeaders (reply, path) {
      void reply.header('cache-control', path.startsWith(join(folder, 'assets')) ? `public, max-age=${FOR_EVER}, immutable` : 'no-cache')
      if (path.endsWith('.html')) void reply.header('content-security-policy', PAGE_CSP)
    }
  })
  const { BASE_PATH } = app.config
  if (BASE_PATH !== '') app.get(BASE_PATH, { config: { access: 'anyone' }, schema: { hide: true } }, async (_request, reply) => reply.redirect(`${BASE_PATH}/`, 308))
}, { name: 'web', dependencies: ['config', 'security-headers', 'rate-limit'] })
