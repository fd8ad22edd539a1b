import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import fp from 'fastify-plugin'

const TUS_REQUEST_HEADERS = ['tus-resumable', 'upload-length', 'upload-defer-length', 'upload-offset', 'upload-metadata', 'upload-checksum', 'x-http-method-override']
const TUS_ANSWER_HEADERS = ['location', 'tus-resumable', 'tus-version', 'tus-extension', 'tus-max-size', 'tus-checksum-algorithm', 'upload-length', 'upload-defer-length', 'upload-offset', 'upload-metadata', 'upload-expires']

/** Headers that tell browsers what not to do, and, where the operator wants it, which other pages may call the API. */
export default fp(async (app) => {
  const { PUBLIC_URL: url, TLS_CERT_FILE: certificate } = app.config
  const endsTls = certificate !== undefined
  const hasHost = url !== undefined && new URL(url).port === ''
  await app.register(helmet, {
    // HSTS is for whoever ends TLS, and speaks for all ports of a host: only where the operator says that this is the host's own server.
    strictTransportSecurity: endsTls && hasHost ? { maxAge: 31_536_000, includeSubDomains: false } : false,
    contentSecurityPolicy: { directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] }, useDefaults: false },
    referrerPolicy: { policy: 'no-referrer' }
  })
  const { CORS_ORIGIN: origin } = app.config
  if (origin.length > 0) {
    await app.register(cors, {
      origin: [...origin],
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      allowedHeaders: ['authorization', 'content-type', 'range', 'if-range', 'last-event-id', 'repr-digest', ...TUS_REQUEST_HEADERS],
      exposedHeaders: ['content-disposition', 'content-range', 'accept-ranges', 'etag', 'repr-digest', 'retry-after', 'x-request-id', ...TUS_ANSWER_HEADERS],
      maxAge: 600
    })
  }
}, { name: 'security-headers', dependencies: ['config'] })
