import type { IncomingMessage } from 'node:http'

const UPLOAD = /^\/api\/session\/[0-9a-f]{8}\/uploads\/[0-9a-f]{32}$/
const OVERRIDES = new Set(['PATCH', 'DELETE'])

/**
 * Takes the method from X-HTTP-Method-Override, as tus asks for clients that can send nothing but POST
 * (https://tus.io/protocols/resumable-upload#x-http-method-override): on uploads only, and before routing.
 *
 * @param url - without BASE_PATH
 */
export function applyMethodOverride (request: IncomingMessage, url: string): void {
  const { method, headers: { 'x-http-method-override': override } } = request
  if (method === 'POST' && typeof override === 'string' && OVERRIDES.has(override) && UPLOAD.test(url)) request.method = override
}
