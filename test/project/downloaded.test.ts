import { appendFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { temporaryFolder } from '../helpers/server.js'
import { downloaded } from '../helpers/services.js'

t.test('a download that the browser has only reserved a name for is not taken for the file', async (t) => {
  const folder = await temporaryFolder(t)
  const name = join(folder, 'a.bin')
  await writeFile(name, '')
  await writeFile(`${name}.crdownload`, 'half')
  let isThere = false
  const path = downloaded(folder, 'a.bin').finally(() => { isThere = true })
  await delay(300)
  t.notOk(isThere, 'while it comes')
  await appendFile(`${name}.crdownload`, ' and half')
  await rename(`${name}.crdownload`, name)
  t.equal(await path, name)
})

t.test('what never comes is named, with what came instead', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'b.bin'), 'another')
  await t.rejects(downloaded(folder, 'a.bin', 100), { message: /no a\.bin.*0 bytes.*b\.bin/ })
})
