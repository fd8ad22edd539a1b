import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fp from 'fastify-plugin'
import type { FastifyReply, FastifyRequest, FastifySchema, RouteOptions } from 'fastify'
import { sharedSchemas } from '../routes/schemas.js'
import type { Access } from './auth.js'

const DESCRIPTION = `Hand a file to somebody with nothing but a session id, a verification code and a password.

Create a session, give those three to the other side, who joins with them; then both may upload, list and download. The answers to
create and join hold a token, for \`Authorization: Bearer\`; they also set it as a cookie, so that a page of this server, this one
included, needs to do nothing further. Where both are sent, the token counts.

There are two kinds of session. *Managed*, which is what create makes unless told otherwise: the server knows the password and
encrypts; any HTTP client will do. *End-to-end*: the participants encrypt, the password stays with them, and the server cannot read a
file; that takes a client that speaks protocol local-send/1, such as the command \`local-send\`. Errors have the form
\`{statusCode, code, error, message}\`; the codes are stable.`

const TAGS = [
  { name: 'session', description: 'Create, look at and end a session' },
  { name: 'join', description: 'Become a participant' },
  { name: 'files', description: 'Upload, list, download and delete' },
  { name: 'uploads', description: 'Resumable uploads: tus 1.0.0' },
  { name: 'health', description: 'For load balancers and monitors' }
]
const ADMIN_TAG = { name: 'admin', description: 'For the operator, where he has set ADMIN_TOKEN' }
const ADMIN_TOKEN = { type: 'http', scheme: 'bearer', description: 'The operator\'s ADMIN_TOKEN' } as const

const OPENED_BY: Readonly<Record<Access, ReadonlyArray<Record<string, string[]>>>> = {
  anyone: [],
  attempt: [{ token: [] }],
  'attempt-or-creator': [{ token: [] }, { creatorCookie: [] }, { joinerCookie: [] }],
  participant: [{ token: [] }, { creatorCookie: [] }, { joinerCookie: [] }],
  creator: [{ token: [] }, { creatorCookie: [] }],
  admin: [{ adminToken: [] }],
  metrics: [{ metricsToken: [] }]
}

/** The OpenAPI document, made from the routes' schemas, at /openapi.json, and a page to try every call at /docs. */
export default fp<{ version: string }>(async (app, { version }) => {
  const { BASE_PATH, PUBLIC_URL } = app.config
  for (const schema of sharedSchemas) app.addSchema(schema)
  const hasAdmin = app.config.ADMIN_TOKEN !== undefined

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Local Send', version, description: DESCRIPTION, license: { name: 'MIT', identifier: 'MIT' } },
      servers: [
        { url: BASE_PATH === '' ? '/' : BASE_PATH, description: 'This server' },
        ...PUBLIC_URL === undefined ? [] : [{ url: PUBLIC_URL, description: 'Where people reach it' }]
      ],
      tags: hasAdmin ? [...TAGS, ADMIN_TAG] : TAGS,
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', description: 'The token that create or join gave' },
          creatorCookie: { type: 'apiKey', in: 'cookie', name: 'local_send_creator', description: 'Set by create' },
          joinerCookie: { type: 'apiKey', in: 'cookie', name: 'local_send_joiner', description: 'Set by join' },
          ...(hasAdmin && { adminToken: ADMIN_TOKEN })
        }
      }
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, index) => typeof json['$id'] === 'string' ? json['$id'] : `def-${index}` },
    transform: ({ schema, url, route }) => ({ schema: documented(schema, route), url })
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    indexPrefix: BASE_PATH,
    uiHooks: { onRequest: leadToIndex },
    // Without upgrade-insecure-requests: over plain HTTP from another machine the page would load nothing.
    staticCSP: "default-src 'none'; base-uri 'none'; connect-src 'self'; font-src 'self' data:; form-action 'self'; frame-ancestors 'none'; img-src 'self' data:; script-src 'self'; style-src 'self' 'unsafe-inline'",
    uiConfig: { docExpansion: 'list', tryItOutEnabled: true, persistAuthorization: false, withCredentials: true, displayRequestDuration: true }
  })
  app.get('/openapi.json', { config: { access: 'anyone' }, schema: { hide: true } }, () => app.swagger())
}, { name: 'openapi', dependencies: ['config', 'auth', 'rate-limit'] })

/** The plugin's own redirect would leave BASE_PATH out; a relative one stays below it, whatever stands before. */
function leadToIndex (request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  if (request.routeOptions.url === '/docs/static/index.html') reply.redirect('../')
  else done()
}

/** A route's schema with who may call it, and the body that its handler reads itself. */
function documented (schema: FastifySchema, route: RouteOptions): FastifySchema {
  const security = OPENED_BY[route.config?.access ?? 'anyone']
  if (schema.consumes === undefined) return { ...schema, security }
  return { ...schema, security, body: schema.consumes.includes('multipart/form-data') ? UPLOAD_BODY : BARE_BODY }
}

const BARE_BODY = { type: 'string', format: 'binary', description: 'The bytes' }

const WHOLE_NUMBER = '^([1-9][0-9]{0,8})?$'

const UPLOAD_BODY = {
  type: 'object',
  required: ['file'],
  properties: {
    // Empty means not set, and is what Swagger UI fills in: it would make something up.
    sha256: { type: 'string', pattern: '^([0-9A-Fa-f]{64})?$', description: 'What the SHA-256 of the next file must be; stands before it', examples: [''] },
    file_id: { type: 'string', pattern: '^([0-9a-f]{32})?$', description: 'In an end-to-end session: id of the next file, drawn by its sender', examples: [''] },
    metadata: { type: 'string', pattern: '^([A-Za-z0-9_-]{827,5606})?$', description: 'In an end-to-end session: the sealed description of the next file', examples: [''] },
    max_downloads: { type: 'string', pattern: WHOLE_NUMBER, description: 'How often the next file may be downloaded', examples: [''] },
    expires_in: { type: 'string', pattern: WHOLE_NUMBER, description: 'Seconds until the next file is removed', examples: [''] },
    file: { type: 'array', items: { type: 'string', format: 'binary' }, description: 'The files' }
  }
}
