import { readFile, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { Page } from 'puppeteer-core'
import t, { type Test } from 'tap'
import { call, createSession, joinSession, PASSWORD, randomContent, sha256, uploadFile } from '../helpers/client.js'
import { projectPath } from '../helpers/project.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs, startBrowser } from '../helpers/services.js'

const EXAMPLE = projectPath('examples/browser')
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8' }
const SIZE = 5 * 2 ** 18 + 12_345

interface Opened {
  readonly page: Page
  readonly origin: string
  readonly downloads: string
  /** Errors on the console and exceptions. */
  readonly complaints: string[]
}

/**
 * Opens the example page under the server's own origin, as a reverse proxy would serve it: requests below /example/ are
 * answered here, everything else, the uploads with their bodies among it, goes to the server untouched.
 */
async function openExample (t: Test): Promise<Opened> {
  const { origin } = await startServer(t)
  const browser = await startBrowser(t)
  const downloads = await temporaryFolder(t)
  const context = await browser.createBrowserContext({ downloadBehavior: { policy: 'allow', downloadPath: downloads } })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()) })
  page.on('pageerror', (error) => complaints.push(String(error)))

  const devtools = await page.createCDPSession()
  await devtools.send('Fetch.enable', { patterns: [{ urlPattern: `${origin}/example/*` }] })
  devtools.on('Fetch.requestPaused', ({ requestId, request }) => {
    const name = new URL(request.url).pathname.replace(/^\/example\//, '')
    readFile(join(EXAMPLE, name), 'base64')
      .then((body) => devtools.send('Fetch.fulfillRequest', { requestId, responseCode: 200, body, responseHeaders: [{ name: 'content-type', value: TYPES[extname(name)] ?? '' }] }))
      .catch((error: unknown) => complaints.push(String(error)))
  })
  await page.goto(`${origin}/example/index.html`)
  return { page, origin, downloads, complaints }
}

async function chooseFile (t: Test, page: Page, selector: string): Promise<{ name: string, content: Uint8Array }> {
  const name = 'holiday pictures ä.bin'
  const content = randomContent(SIZE)
  const path = join(await temporaryFolder(t), name)
  await writeFile(path, content)
  const [chooser] = await Promise.all([page.waitForFileChooser(), page.click(selector)])
  await chooser.accept([path])
  return { name, content }
}

t.test('the example page: a session, a file sent, and saved again by a click', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { page, downloads, complaints } = await openExample(t)
  await page.type('#password', PASSWORD)
  const { name, content } = await chooseFile(t, page, '#files')
  await page.click('button')
  await page.locator('#list a').click()
  t.equal(sha256(await readFile(await downloaded(downloads, name))), sha256(content), 'the file on disk is the one that was chosen')
  t.match(await page.evaluate('document.querySelector("#status").textContent'), /^Session [0-9a-f]{8}, code [0-9]{6}$/)
  t.equal(await page.evaluate('document.cookie'), '', 'the login is out of reach of scripts')
  t.same(complaints, [])
})

t.test('the module: every function, as creator', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { page, origin, complaints } = await openExample(t)
  const { content } = await chooseFile(t, page, '#files')
  const result = await page.evaluate(`(async () => {
    const localSend = await import('./local-send.js')
    const { session_id: id, verification_code: code } = await localSend.createSession(${JSON.stringify(PASSWORD)})
    const uploaded = await localSend.uploadFile(id, document.querySelector('#files').files[0])
    const listed = await localSend.listFiles(id)
    const bytes = await (await fetch(localSend.downloadUrl(id, uploaded.file_id))).arrayBuffer()
    const digest = Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (byte) => byte.toString(16).padStart(2, '0')).join('')
    await localSend.deleteFile(id, uploaded.file_id)
    const left = await localSend.listFiles(id)
    const closed = await localSend.closeSession(id)
    return { id, code, uploaded, listed, digest, left, closed, names: Object.keys(localSend).sort() }
  })()`) as { id: string, code: string, uploaded: object, listed: object[], digest: string, left: object[], closed: object, names: string[] }
  t.match(result.uploaded, { size: SIZE, sha256: sha256(content) })
  t.same(result.listed, [result.uploaded])
  t.equal(result.digest, sha256(content))
  t.same(result.left, [])
  t.same(result.closed, { status: 'closed' })
  t.same(result.names, ['LocalSendError', 'closeSession', 'createSession', 'deleteFile', 'downloadUrl', 'joinSession', 'listFiles', 'uploadFile'], 'a new function needs a test')
  t.equal((await call(`${origin}/api/session/${result.id}/join`, { method: 'POST', body: { verification_code: result.code, password: PASSWORD } })).status, 404, 'the session is gone')
  t.same(complaints, [])
})

t.test('the module, as joiner: what somebody else has sent, more than one page of it', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { page, origin, complaints } = await openExample(t)
  const session = await createSession(origin)
  const ids: string[] = []
  for (let i = 0; i < 101; i++) ids.push((await uploadFile(session, session.token, randomContent(10))).file_id)
  const listed = await page.evaluate(`(async () => {
    const { joinSession, listFiles } = await import('./local-send.js')
    await joinSession('${session.id}', '${session.code}', ${JSON.stringify(PASSWORD)})
    return (await listFiles('${session.id}')).map((file) => file.file_id)
  })()`)
  t.same(listed, ids)
  t.same(complaints, [])
})

t.test('the module: a refusal is an error with the server\'s code and sentence', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { page, origin } = await openExample(t)
  const session = await createSession(origin)
  await joinSession(session)
  const refusal = await page.evaluate(`import('./local-send.js').then(({ joinSession }) => joinSession('${session.id}', '${session.code}', 'a wrong password'))
    .catch(({ name, code, statusCode, message }) => ({ name, code, statusCode, message }))`)
  t.match(refusal, { name: 'LocalSendError', code: 'SESSION_FULL', statusCode: 409, message: /already has as many/ })
})
