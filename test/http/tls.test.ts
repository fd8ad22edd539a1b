import { once } from 'node:events'
import { copyFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'
import t from 'tap'
import { readConfig } from '../../lib/config.js'
import { buildApp } from '../../app.js'
import { createCertificate, trust } from '../helpers/certificate.js'
import { call, createSession, download, form, joinSession, PASSWORD, randomContent, uploadFile } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { needs } from '../helpers/services.js'

/** Of the certificate that a server shows now, lowercase hex. */
async function fingerprintAt (origin: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(origin).port), rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return fingerprint256
}

t.test('HTTPS without a proxy', async (t) => {
  if (!await needs(t, 'openssl')) return
  const certificate = await createCertificate(await temporaryFolder(t))
  trust(t, certificate.cert)
  const { origin } = await startServer(t, { TLS_CERT_FILE: certificate.certFile, TLS_KEY_FILE: certificate.keyFile })
  t.match(origin, /^https:/)
  const session = await createSession(origin)
  const joiner = await joinSession(session)
  const content = randomContent(3_000_000)
  const file = await uploadFile(session, session.token, content)
  t.equal(Buffer.compare((await download(`${session.url}/download/${file.file_id}`, joiner)).bytes, content), 0)

  const { headers } = await call(`${origin}/api/session/create`, { method: 'POST', body: { password: PASSWORD } })
  const cookie = headers.getSetCookie()[0] ?? ''
  t.match(cookie, /; Secure(;|$)/)
  t.equal(headers.get('strict-transport-security'), null, 'HSTS speaks for the whole host: not without being told so')
  const own = await call(`${session.url}/upload`, { method: 'POST', headers: { cookie: `local_send_creator=${session.token}`, origin }, body: form({ content: randomContent(10) }) })
  t.equal(own.status, 201, 'a page of this origin, by cookie')

  const bare = connect({ host: '127.0.0.1', port: Number(new URL(origin).port), rejectUnauthorized: false })
  bare.write('GET /health HTTP/1.1\r\nconnection: close\r\n\r\n')
  t.match(await text(bare), 'INVALID_REQUEST', 'without a host')
})

t.test('a server that has its host to itself says so by HSTS', async (t) => {
  if (!await needs(t, 'openssl')) return
  const certificate = await createCertificate(await temporaryFolder(t))
  trust(t, certificate.cert)
  const { origin } = await startServer(t, { TLS_CERT_FILE: certificate.certFile, TLS_KEY_FILE: certificate.keyFile, PUBLIC_URL: 'https://files.example.org' })
  t.equal((await call(`${origin}/health`)).headers.get('strict-transport-security'), 'max-age=31536000')
})

t.test('a renewed certificate is taken without a restart, and one that cannot be used leaves the old one', async (t) => {
  if (!await needs(t, 'openssl')) return
  const folder = await temporaryFolder(t)
  const { certFile, keyFile } = await createCertificate(folder)
  const lines: string[] = []
  const logger = { level: 'info', stream: { write: (line: string) => { lines.push(line) } } }
  const { origin } = await startServer(t, { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile }, { certificateInterval: 10, logger })
  const logged = async (text: string): Promise<void> => { await eventually(() => lines.some((line) => line.includes(text))) }
  const first = await fingerprintAt(origin)

  const renewed = await createCertificate(await temporaryFolder(t))
  // Half of it, as it lies there while a tool is writing: first the certificate alone, which the old key does not fit.
  await copyFile(renewed.certFile, join(folder, 'new.pem'))
  await rename(join(folder, 'new.pem'), certFile)
  await logged('the old one stays')
  t.equal(await fingerprintAt(origin), first)
  await copyFile(renewed.keyFile, keyFile)
  await logged('took the renewed certificate')
  const second = await fingerprintAt(origin)
  t.not(second, first)

  lines.length = 0
  await writeFile(certFile, 'not a certificate')
  await logged('the old one stays')
  t.equal(await fingerprintAt(origin), second)
  t.notMatch(lines.join(''), 'PRIVATE KEY')
})

t.test('a certificate that cannot be used stops the start', async (t) => {
  if (!await needs(t, 'openssl')) return
  const certificate = await createCertificate(await temporaryFolder(t))
  const other = await createCertificate(await temporaryFolder(t))
  const start = (TLS_CERT_FILE: string, TLS_KEY_FILE: string) => buildApp(readConfig({ TLS_CERT_FILE, TLS_KEY_FILE }))
  const refused = { name: 'ConfigError', message: /^TLS_CERT_FILE and TLS_KEY_FILE must be a certificate and its key, both PEM: .*\.$/ }
  await t.rejects(start(certificate.certFile, other.keyFile), refused, 'the key of another one')
  await t.rejects(start(certificate.keyFile, certificate.keyFile), refused, 'no certificate')
  await t.rejects(start(certificate.certFile, '/nowhere/key.pem'), refused, 'no file')
})
