/**
 * Traces to an OpenTelemetry collector: a span for each request, named by its route.
 *
 *     npm install --prefix deploy/opentelemetry
 *     OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 node --import ./deploy/opentelemetry/register.js dist/server.js
 */

import { subscribe } from 'node:diagnostics_channel'
import FastifyOtel from '@fastify/otel'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'

const provider = new NodeTracerProvider({
  // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
  resource: defaultResource().merge(resourceFromAttributes({ 'service.name': 'local-send' })).merge(detectResources({ detectors: [envDetector] })),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())]
})
// Also takes up the trace of a caller, by its traceparent.
provider.register()

// The hooks of plugins are many and short; the request alone says how long it took.
const instrumentation = new FastifyOtel({
  registerOnInitialization: true,
  instrumentHooks: false,
  instrumentHandler: false,
  requestHook: (span, { method, routeOptions }) => { span.updateName(`${method} ${routeOptions.url ?? 'none'}`) }
})
instrumentation.setTracerProvider(provider)

// What the last seconds brought, before the process ends.
subscribe('fastify.initialization', ({ fastify }) => { fastify.addHook('onClose', () => provider.forceFlush()) })
