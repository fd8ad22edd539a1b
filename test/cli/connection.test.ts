import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, request } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helpers/server.js'
import { newPlace, setUp } from './program.js'

async function listen (t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** The server behind TLS, with a certificate that nobody knows, under a name that only a proxy finds. */
async function behindTls (t: Test, origin: string): Promise<{ readonly port: number, readonly ca: string }> {
  const folder = await temporaryFolder(t)
  const [key, ca] = [join(folder, 'key.pem'), join(folder, 'ca.pem')]
  await promisify(execFile)('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', ca, '-days', '2', '-subj', '/CN=send.test', '-addext', 'subjectAltName=DNS:send.test,IP:127.0.0.1'])
  const server = createHttpsServer({ key: await readFile(key), cert: await readFile(ca) }, (incoming, answer) => {
    incoming.pipe(request(`${origin}${incoming.url ?? ''}`, { method: incoming.method, headers: incoming.headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    }).on('error', () => answer.destroy()))
  })
  t.teardown(() => { server.closeAllConnections() })
  return { port: await listen(t, server), ca }
}

/** A proxy that takes every name for this machine, and counts. */
async function countingProxy (t: Test): Promise<{ readonly url: string, readonly asked: string[] }> {
  const asked: string[] = []
  const server = createHttpServer().on('connect', ({ url = '' }, client) => {
    asked.push(url)
    const upstream = connect(Number(url.split(':')[1]), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      upstream.pipe(client).pipe(upstream)
    })
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) socket.on('error', () => {}).once('close', () => { other.destroy() })
  })
  t.teardown(() => { server.closeAllConnections() })
  return { url: `http://127.0.0.1:${await listen(t, server)}`, asked }
}

t.test('an authority of one\'s own, and a proxy on the way', async (t) => {
  const { server } = await setUp(t)
  const { port, ca } = await behindTls(t, server.origin)
  const proxy = await countingProxy(t)
  const place = await newPlace(t, `https://127.0.0.1:${port}`)
  await writeFile(join(place.home, 'missing.pem'), 'nothing')
  const receive = (args: string[], environment: Record<string, string> = {}) => place.run(['receive', '00000000-000000-zoo-zoo-zoo', ...args], { environment })

  const unknown = receive([])
  t.equal(await unknown.exit, 1)
  t.match(unknown.stderr(), /cannot be reached.*\((?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN)\) .*--ca FILE/)
  const plain = receive(['--server', `https://${new URL(server.origin).host}`])
  t.equal(await plain.exit, 1)
  t.match(plain.stderr(), /\(EPROTO\) .*write http:\/\//)
  const bare = receive(['--server', new URL(server.origin).host])
  t.equal(await bare.exit, 4, bare.stderr())
  const trusted = receive(['--ca', ca])
  t.equal(await trusted.exit, 4, trusted.stderr())
  t.same(proxy.asked, [])

  const name = `https://send.test:${port}`
  const proxied = receive(['--ca', ca, '--server', name], { HTTPS_PROXY: proxy.url })
  t.equal(await proxied.exit, 4, proxied.stderr())
  t.same(new Set(proxy.asked), new Set([`send.test:${port}`]))
  const past = receive(['--ca', ca], { HTTPS_PROXY: proxy.url })
  t.equal(await past.exit, 4, 'loopback addresses need no proxy')
  const excepted = receive(['--ca', ca, '--server', name], { HTTPS_PROXY: proxy.url, NO_PROXY: 'send.test' })
  t.equal(await excepted.exit, 1)
  t.equal(new Set(proxy.asked).size, 1)

  for (const [file, sentence] of [['missing.pem', /holds no certificate in PEM/], ['nowhere', /cannot be read: there is no such file/]] as const) {
    const wrong = receive(['--ca', file])
    t.equal(await wrong.exit, 2)
    t.match(wrong.stderr(), sentence)
  }
})

t.test('a connection that others can read is warned of', async (t) => {
  const place = await newPlace(t, 'http://send.invalid')
  const run = place.run(['receive', '00000000-000000-zoo-zoo-zoo'])
  t.equal(await run.exit, 1)
  t.match(run.stderr(), /^Warning: The connection to send\.invalid is not encrypted/)
  for (const server of ['ftp://x', 'https://name:password@x', 'https://']) {
    const wrong = place.run(['receive', '00000000-000000-zoo-zoo-zoo', '--server', server])
    t.equal(await wrong.exit, 2, server)
    t.notOk(wrong.stderr().includes('name:password'))
  }
})
