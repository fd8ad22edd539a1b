import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import { equalSecrets, utf8 } from '../lib/crypto/bytes.js'
import { LocalSendError } from '../lib/errors.js'
import type { OperatorArea } from '../lib/service-events.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether the request carries the operator's token for its route. Set before rate limits are counted. */
    isOperator: boolean
  }
}

const BEARER = /^Bearer +(\S+) *$/i

/** Whether a request carries this token. What is compared says nothing by its duration. */
export async function bears ({ headers }: FastifyRequest, token: string): Promise<boolean> {
  const given = BEARER.exec(headers.authorization ?? '')?.[1]
  return given !== undefined && await equalSecrets(utf8(given), utf8(token))
}

/** The operator's own tokens: ADMIN_TOKEN for routes with access `admin`, METRICS_TOKEN for those with access `metrics`. No cookie opens either. */
export default fp((app) => {
  const { config, serviceEvents } = app
  const tokens: Readonly<Record<OperatorArea, string | undefined>> = { admin: config.ADMIN_TOKEN, metrics: config.METRICS_TOKEN }

  app.decorateRequest('isOperator', false)
  app.addHook('onRequest', async (request) => {
    const area = areaOf(request)
    const token = area && tokens[area]
    if (token !== undefined) request.isOperator = await bears(request, token)
  })
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const area = areaOf(request)
    if (area === undefined || request.isOperator) {
      done(null, payload)
      return
    }
    serviceEvents.tell({ type: 'operator.refused', area })
    done(new LocalSendError('OPERATOR_ONLY'))
  })
  return Promise.resolve()
}, { name: 'operator', dependencies: ['config', 'service-events'] })

/** What a route is for, if it is for the operator. */
export function areaOf ({ routeOptions }: FastifyRequest): OperatorArea | undefined {
  const { access } = routeOptions.config
  return access === 'admin' || access === 'metrics' ? access : undefined
}
