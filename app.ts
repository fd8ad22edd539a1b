import type { Server } from 'node:http'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import { openCertificate } from './lib/certificate-files.js'
import type { Config } from './lib/config.js'
import { version } from './lib/version.js'
import auditPlugin from './plugins/audit.js'
import authPlugin from './plugins/auth.js'
import certificatePlugin from './plugins/certificate.js'
import configPlugin from './plugins/config.js'
import connectionPlugin from './plugins/connection.js'
import errorsPlugin, { refuseMalformed, refuseUrl } from './plugins/errors.js'
import filesPlugin from './plugins/files.js'
import folderPlugin from './plugins/folder.js'
import metricsPlugin from './plugins/metrics.js'
import multipartPlugin from './plugins/multipart.js'
import openapiPlugin from './plugins/openapi.js'
import operatorPlugin from './plugins/operator.js'
import rateLimitPlugin from './plugins/rate-limit.js'
import redisPlugin from './plugins/redis.js'
import requestBodiesPlugin from './plugins/request-bodies.js'
import securityHeadersPlugin from './plugins/security-headers.js'
import serviceEventsPlugin from './plugins/service-events.js'
import sessionStorePlugin from './plugins/session-store.js'
import sessionsPlugin, { type SessionsOptions } from './plugins/sessions.js'
import unusedConnectionsPlugin from './plugins/unused-connections.js'
import webPlugin from './plugins/web.js'
import webhookPlugin from './plugins/webhook.js'
import adminRoutes from './routes/admin.js'
import archiveRoutes from './routes/archive.js'
import attemptsRoutes from './routes/attempts.js'
import { withoutBasePath } from './routes/base-path.js'
import eventsRoutes from './routes/events.js'
import filesRoutes from './routes/files.js'
import healthRoutes from './routes/health.js'
import joinsRoutes from './routes/joins.js'
import { applyMethodOverride } from './routes/method-override.js'
import rawUploadRoutes from './routes/raw-upload.js'
import sessionRoutes from './routes/session.js'
import uploadsRoutes from './routes/uploads.js'

/** Bytes of a JSON body; a multipart body has limits of its own. */
const BODY_LIMIT = 16 * 1024
/** Characters of a part of a path: of a file's name, as long as its schema lets it be. */
const LONGEST_PARAM = 1024
/** The connection plugin refuses it in the catalogue's words; Node would without a body. */
const NODE_OPTIONS = { requireHostHeader: false }
/** Less than the time after which this server or a proxy closes a connection on which nothing is sent. */
const HEARTBEAT = 15_000

export interface AppOptions extends SessionsOptions {
  readonly logger?: FastifyServerOptions['logger']
  /** Milliseconds between the signs of life of an event stream; tests cannot wait so long. */
  readonly heartbeat?: number
  /** Milliseconds between two looks for a renewed certificate. */
  readonly certificateInterval?: number
  /** Where the built web page lies; tests have one that is not there. */
  readonly webFolder?: string
}

/** Builds the application: plugins, then routes. It does not listen. */
export async function buildApp (config: Config, { logger = false, heartbeat = HEARTBEAT, certificateInterval, webFolder, ...sessions }: AppOptions = {}): Promise<FastifyInstance> {
  const tls = await openCertificate(config)
  const app = Fastify<Server>({
    logger,
    // HTTP/1.1 there, too: every transfer has a connection, and with it a flow control, of its own.
    ...(tls === undefined ? { http: NODE_OPTIONS } : { https: { ...tls.certificate, ...NODE_OPTIONS } }),
    bodyLimit: BODY_LIMIT,
    routerOptions: { maxParamLength: LONGEST_PARAM },
    // Later than a body counts as stalled: whoever sends one that stalls is still there to be told.
    connectionTimeout: 2 * config.IDLE_TIMEOUT * 1000 + 5000,
    // Taking over what is stored and letting transfers end take as long as they take: no hook of them is given up after some seconds.
    pluginTimeout: 0,
    trustProxy: config.TRUST_PROXY.length === 0 ? false : [...config.TRUST_PROXY],
    rewriteUrl (request) {
      const url = withoutBasePath(request.url ?? '/', config.BASE_PATH)
      applyMethodOverride(request, url)
      return url
    },
    genReqId: () => crypto.randomUUID(),
    clientErrorHandler: refuseMalformed,
    frameworkErrors: refuseUrl,
    // The connection plugin says it in the catalogue's words.
    return503OnClosing: false
  })
  app.removeContentTypeParser('text/plain')
  app.setValidatorCompiler(TypeBoxValidatorCompiler)

  await registerPlugins(app, { config, tls, certificateInterval, webFolder, sessions })
  await registerRoutes(app, config, heartbeat)
  await app.register(unusedConnectionsPlugin)
  return app
}

interface PluginOptions {
  readonly config: Config
  readonly tls: Awaited<ReturnType<typeof openCertificate>>
  readonly certificateInterval: number | undefined
  readonly webFolder: string | undefined
  readonly sessions: SessionsOptions
}

async function registerPlugins (app: FastifyInstance, { config, tls, certificateInterval, webFolder, sessions }: PluginOptions): Promise<void> {
  await app.register(configPlugin, { config })
  await app.register(serviceEventsPlugin)
  await app.register(webhookPlugin)
  await app.register(auditPlugin)
  await app.register(connectionPlugin)
  if (tls !== undefined) await app.register(certificatePlugin, { files: tls.files, interval: certificateInterval })
  await app.register(errorsPlugin)
  await app.register(securityHeadersPlugin)
  await app.register(folderPlugin)
  await app.register(redisPlugin)
  await app.register(sessionStorePlugin)
  await app.register(sessionsPlugin, sessions)
  await app.register(filesPlugin, sessions)
  await app.register(authPlugin)
  await app.register(operatorPlugin)
  await app.register(rateLimitPlugin)
  await app.register(requestBodiesPlugin)
  await app.register(multipartPlugin)
  await app.register(openapiPlugin, { version })
  await app.register(metricsPlugin, { version })
  await app.register(webPlugin, { folder: webFolder })
}

async function registerRoutes (app: FastifyInstance, config: Config, heartbeat: number): Promise<void> {
  await app.register(healthRoutes, { version })
  if (config.ADMIN_TOKEN !== undefined) await app.register(adminRoutes, { prefix: '/api/admin', version })
  await app.register(sessionRoutes, { prefix: '/api/session' })
  await app.register(joinsRoutes, { prefix: '/api/session' })
  await app.register(attemptsRoutes, { prefix: '/api/session' })
  await app.register(filesRoutes, { prefix: '/api/session' })
  await app.register(archiveRoutes, { prefix: '/api/session' })
  await app.register(rawUploadRoutes, { prefix: '/api/session' })
  await app.register(uploadsRoutes, { prefix: '/api/session' })
  await app.register(eventsRoutes, { prefix: '/api/session', heartbeat: Math.min(heartbeat, config.IDLE_TIMEOUT * 1000) })
}
