import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ElementHandle, Page } from 'puppeteer-core'
import t from 'tap'
import { PASSWORD, randomContent, sha256 } from '../helpers/client.js'
import { startNginx } from '../helpers/nginx.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs, startBrowser } from '../helpers/services.js'

/** One operation of the page, opened. */
async function open (page: Page, tag: string, operationId: string): Promise<ElementHandle> {
  const block = await page.waitForSelector(`#operations-${tag}-${operationId}`)
  if (block === null) throw new Error(`no operation ${operationId}`)
  await (await block.$('.opblock-summary-control'))?.click()
  await block.waitForSelector('.execute')
  return block
}

async function fill (block: ElementHandle, parameter: string, value: string): Promise<void> {
  const input = await block.waitForSelector(`tr[data-param-name="${parameter}"] input`)
  // The page has filled in an example.
  await input?.click({ count: 3 })
  await input?.type(value)
}

const propertyOf = async (element: ElementHandle | null, name: string): Promise<string> => String(await (await element?.getProperty(name))?.jsonValue() ?? '')

/** Sends the call and waits for its answer. @returns status and body as the page shows them */
async function execute (block: ElementHandle): Promise<{ status: string, body: string }> {
  await (await block.$('.execute'))?.click()
  const status = await block.waitForSelector('.live-responses-table tbody .response-col_status')
  const body = await block.$('.live-responses-table tbody .highlight-code code')
  return {
    status: (await propertyOf(status, 'textContent')).trim().slice(0, 3),
    body: await propertyOf(body, 'textContent')
  }
}

t.test('a file goes there and back by Swagger UI alone, logged in by its cookie', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t)
  const folder = await temporaryFolder(t)
  const content = randomContent(3 * 2 ** 18 + 5)
  await writeFile(join(folder, 'document.bin'), content)
  const page = await (await startBrowser(t)).newPage()
  await page.setViewport({ width: 1280, height: 4000 })
  await page.goto(`${origin}/docs`)

  const create = await open(page, 'session', 'create')
  const text = await create.waitForSelector('textarea')
  await text?.focus()
  await page.keyboard.down('Control')
  await page.keyboard.press('a')
  await page.keyboard.up('Control')
  await text?.type(JSON.stringify({ password: PASSWORD }))
  const created = await execute(create)
  t.equal(created.status, '201')
  const { session_id: id } = JSON.parse(created.body) as { session_id: string }

  const upload = await open(page, 'files', 'upload')
  await fill(upload, 'id', id)
  const chooser = await upload.waitForSelector('input[type="file"]')
  await chooser?.uploadFile(join(folder, 'document.bin'))
  const uploaded = await execute(upload)
  t.equal(uploaded.status, '201', uploaded.body)
  const [file] = (JSON.parse(uploaded.body) as { files: Array<{ file_id: string, sha256: string, filename: string }> }).files
  t.match(file, { filename: 'document.bin', sha256: sha256(content) })

  const download = await open(page, 'files', 'download')
  await fill(download, 'id', id)
  await fill(download, 'file_id', file?.file_id ?? '')
  t.equal((await execute(download)).status, '200')
  await mkdir(join(folder, 'received'))
  const session = await page.createCDPSession()
  await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: join(folder, 'received') })
  const link = await download.waitForSelector('.live-responses-table a[download]')
  await link?.click()
  const path = await downloaded(join(folder, 'received'), await propertyOf(link, 'download'))
  t.equal(sha256(await readFile(path)), sha256(content))
})

t.test('under a path, behind nginx', async (t) => {
  if (!await needs(t, 'chromium') || !await needs(t, 'nginx') || !await needs(t, 'openssl')) return
  const server = await startServer(t, { BASE_PATH: '/send', TRUST_PROXY: '127.0.0.1' })
  const origin = await startNginx(t, server.origin, '/send/')
  const page = await (await startBrowser(t, '--ignore-certificate-errors')).newPage()
  await page.setViewport({ width: 1280, height: 1600 })
  const failed: string[] = []
  page.on('response', (response) => { if (!response.ok() && response.status() !== 302) failed.push(`${response.status()} ${response.url()}`) })
  await page.goto(`${origin}/send/docs/static/index.html`)
  t.equal(page.url(), `${origin}/send/docs/`)
  const { status, body } = await execute(await open(page, 'health', 'health'))
  t.equal(status, '200', body)
  t.match(JSON.parse(body), { status: 'ok' })
  t.same(failed, [])
})
