/** Requests that are right but for some places: of the routes that openapi.yaml names, with any method, parameter, header and body. */

import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { parse } from 'yaml'
import { projectPath } from '../../helpers/project.js'
import { metadata } from '../../helpers/tus.js'
import { json, mutatedBytes, mutatedText, text } from './inputs.js'
import { ADMIN_TOKEN, type Known } from './place.js'

interface Route {
  readonly method: string
  readonly path: string
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options']

/** All routes that there are. */
export async function documentedRoutes (): Promise<readonly Route[]> {
  const { paths } = parse(await readFile(projectPath('openapi.yaml'), 'utf8')) as Document
  return Object.entries(paths).flatMap(([path, operations]) => METHODS.filter((method) => Object.hasOwn(operations, method)).map((method) => ({ method: method.toUpperCase(), path })))
}

/** A request as it is drawn, before the ids are known that it names. */
export interface Drawn {
  readonly route: Route
  readonly method: string | undefined
  /** Which of the two sessions, as whom, and whether ids are those that are known. */
  readonly kind: 0 | 1
  readonly as: 'creator' | 'joiner' | 'operator' | 'cookie' | 'nobody'
  readonly ids: 'known' | 'unknown'
  /** Whether it has the headers that its route asks for, unless others are drawn. */
  readonly fitting: boolean
  readonly suffix: string
  readonly headers: ReadonlyArray<readonly [string, string]>
  readonly body: Uint8Array
  readonly framing: 'length' | 'chunked' | 'too long' | 'none' | 'broken chunk'
  /** What the bytes of the head are changed by at last. */
  readonly spoil: string
}

const BOUNDARY = 'x-boundary'
const part = (head: string, content: string): string => `--${BOUNDARY}\r\ncontent-disposition: form-data; ${head}\r\n\r\n${content}\r\n`
export const MULTIPART = `${part('name="sha256"', '')}${part('name="file"; filename="a.txt"', 'content')}--${BOUNDARY}--\r\n`

const HEADERS: Readonly<Record<string, readonly string[]>> = {
  'content-type': ['application/json', `multipart/form-data; boundary=${BOUNDARY}`, 'application/offset+octet-stream', 'application/octet-stream', 'text/plain', 'multipart/form-data'],
  'tus-resumable': ['1.0.0', '0.2.2'],
  'upload-offset': ['0', '1000', '-1', '1e3'],
  'upload-length': ['1000', '0', '18446744073709551616'],
  'upload-defer-length': ['1', '0'],
  'upload-metadata': [metadata({ filename: 'a.txt', sha256: '0'.repeat(64) }), metadata({ expires_in: '9', max_downloads: '1' }), 'filename', 'filename /w=='],
  'upload-checksum': ['sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=', 'sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=', 'md5 AA=='],
  'repr-digest': ['sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:', 'sha-512=:AA==:'],
  'content-digest': ['sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:'],
  range: ['bytes=0-9', 'bytes=-5', 'bytes=5-', 'bytes=0-1,3-4', 'items=0-1'],
  'if-range': ['"x"', 'W/"x"'],
  'last-event-id': ['0123456789abcdef-1', 'x'],
  'x-http-method-override': ['PATCH', 'DELETE', 'GET'],
  expect: ['100-continue', 'nothing'],
  'content-encoding': ['gzip', 'identity'],
  origin: ['http://x', 'null'],
  cookie: ['local_send_creator=x', 'a=%zz; __proto__=1', ';;;='],
  authorization: ['Bearer x', 'Basic eA==', 'Bearer', 'bearer  x y'],
  accept: ['application/json', '*/*;q=nothing'],
  forwarded: ['for=1.2.3.4;host=y', 'for="[::1]"'],
  'x-forwarded-for': ['1.2.3.4', '::ffff:1.2.3.4, x', ','],
  'x-forwarded-host': ['elsewhere.example', 'a b', ''],
  'x-forwarded-proto': ['https', 'javascript', ','],
  host: ['elsewhere.example:99999', '', '[::'],
  'access-control-request-method': ['PATCH'],
  'accept-encoding': ['gzip'],
  'content-disposition': ['attachment; filename=x'],
  'transfer-encoding': ['identity', 'gzip, chunked'],
  connection: ['upgrade', 'keep-alive'],
  upgrade: ['websocket', 'h2c']
}

const BODIES: readonly object[] = [
  { password: 'correct horse battery staple' }, { kind: 'end-to-end' }, { verification_code: '123456', password: 'correct horse battery staple' },
  { verification_code: '123456', public_key: `04${'ab'.repeat(64)}` }, { public_key: `04${'ab'.repeat(64)}` }, { confirmation: 'ab'.repeat(32) },
  { confirmation: 'ab'.repeat(32), wrapped_key: 'A'.repeat(80) }, { file_ids: ['ab'.repeat(16)] }, { max_joiners: 1, expires_in: 60, max_downloads: 1, password: 'x'.repeat(2000) }
]

const encode = (content: string): Uint8Array => new TextEncoder().encode(content)
const bodies = fc.oneof(
  fc.constant(new Uint8Array()),
  fc.constantFrom(...BODIES).map((body) => encode(JSON.stringify(body))),
  mutatedBytes(fc.constantFrom(...BODIES).map((body) => encode(JSON.stringify(body)))),
  fc.tuple(fc.constantFrom(...BODIES), fc.dictionary(fc.constantFrom('kind', 'password', 'public_key', 'verification_code', 'file_ids', '__proto__', 'constructor'), json)).map(([body, more]) => encode(JSON.stringify({ ...body, ...more }))),
  json.map((value) => encode(JSON.stringify(value))),
  fc.constant(encode(MULTIPART)),
  mutatedBytes(fc.constant(encode(MULTIPART))),
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(new Uint8Array(20_000).fill(0x20), encode('['.repeat(10_000)))
)

const header: fc.Arbitrary<readonly [string, string]> = fc.constantFrom(...Object.entries(HEADERS)).chain(([name, values]) =>
  fc.oneof(fc.constantFrom(...values), mutatedText(fc.constantFrom(...values)), text()).map((value) => [name, value] as const))

export const requests = (routes: readonly Route[]): fc.Arbitrary<Drawn> => fc.record({
  route: fc.constantFrom(...routes),
  method: fc.option(fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY', 'NONSENSE'), { nil: undefined, freq: 4 }),
  kind: fc.constantFrom(0 as const, 1 as const),
  as: fc.constantFrom('creator' as const, 'creator' as const, 'joiner' as const, 'operator' as const, 'cookie' as const, 'nobody' as const),
  ids: fc.constantFrom('known' as const, 'known' as const, 'unknown' as const),
  fitting: fc.constantFrom(true, true, true, false),
  suffix: fc.oneof(fc.constant(''), text(12).map((value) => `?limit=${value}`), text(12).map((value) => `?wait=0&after=${encodeURIComponent(value.toWellFormed())}&cursor=${value}`), mutatedText(fc.constantFrom('?limit=5&cursor=0', '/', '%2e%2e/', '?%zz', '%00', '%')), text(9)),
  headers: fc.array(header, { maxLength: 5 }),
  body: bodies,
  framing: fc.constantFrom('length' as const, 'length' as const, 'length' as const, 'chunked' as const, 'too long' as const, 'none' as const, 'broken chunk' as const),
  spoil: fc.oneof({ weight: 5, arbitrary: fc.constant('') }, { weight: 1, arbitrary: text(8) })
})

/** The bytes of a request, now that it is known what it names. */
export function bytesOf (drawn: Drawn, known: readonly [Known, Known]): Buffer {
  const { route, kind, as, ids, suffix, body, framing, spoil } = drawn
  const { session, joiner, fileId, uploadId, joinId } = known[kind]
  const values: Readonly<Record<string, string>> = ids === 'known' ? { id: session.id, file_id: route.path.includes('/uploads') ? uploadId : fileId, join_id: joinId } : { id: session.id, file_id: '..%2f', join_id: '0' }
  const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
  const token = { creator: session.token, joiner, operator: ADMIN_TOKEN, cookie: undefined, nobody: undefined }[as]
  const given: ReadonlyArray<readonly [string, string]> = [
    ['host', 'x'], ['connection', 'close'],
    ...(token === undefined ? [] : [['authorization', `Bearer ${token}`] as const]),
    ...(as === 'cookie' ? [['cookie', `local_send_creator=${session.token}`] as const] : []),
    ...(drawn.fitting ? fittingHeaders(route.path) : []),
    ...framed(framing, body),
    ...drawn.headers
  ]
  // One header of each name, unless it is spoiled: the one that was drawn.
  const lines = [...new Map(given)].map(([name, value]) => `${name}: ${value.replace(/[\r\n\0]/g, '')}`)
  const head = `${drawn.method ?? route.method} ${path}${suffix.replace(/[\s\0]/g, '')} HTTP/1.1\r\n${lines.join('\r\n')}\r\n${spoil}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), contentOf(framing, body)])
}

function fittingHeaders (path: string): ReadonlyArray<readonly [string, string]> {
  if (path.endsWith('/uploads')) return [['tus-resumable', '1.0.0'], ['upload-length', '1000']]
  if (path.includes('/uploads/')) return [['tus-resumable', '1.0.0'], ['upload-offset', '0'], ['content-type', 'application/offset+octet-stream']]
  return [['content-type', path.endsWith('/upload') ? `multipart/form-data; boundary=${BOUNDARY}` : 'application/json']]
}

function framed (framing: Drawn['framing'], body: Uint8Array): ReadonlyArray<readonly [string, string]> {
  if (framing === 'none') return []
  if (framing === 'length' || framing === 'too long') return [['content-length', String(body.length + (framing === 'length' ? 0 : 9))]]
  return [['transfer-encoding', 'chunked']]
}

function contentOf (framing: Drawn['framing'], body: Uint8Array): Uint8Array {
  if (framing === 'none') return new Uint8Array()
  if (framing === 'broken chunk') return Buffer.concat([Buffer.from(`${(body.length + 5).toString(16)};x\r\n`), body, Buffer.from('zz\r\n')])
  return framing === 'chunked' ? Buffer.concat([Buffer.from(body.length === 0 ? '' : `${body.length.toString(16)}\r\n`), body, Buffer.from(body.length === 0 ? '0\r\n\r\n' : '\r\n0\r\n\r\n')]) : body
}
