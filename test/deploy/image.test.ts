/** What the Dockerfile builds from and takes over is there; no daemon is needed to see that. */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import '../helpers/plain-children.js'
import { projectPath } from '../helpers/project.js'
import { temporaryFolder } from '../helpers/server.js'

const run = promisify(execFile)

const read = (name: string): Promise<string> => readFile(projectPath(name), 'utf8')

t.test('what .dockerignore lets in builds everything that the image takes over', async (t) => {
  const [everything, ...exceptions] = (await read('.dockerignore')).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  t.equal(everything, '*', 'nothing is let in but by name')
  const folder = await temporaryFolder(t)
  for (const exception of exceptions) {
    const [, name = ''] = /^!([\w./-]+)$/.exec(exception) ?? []
    t.not(name, '', exception)
    await cp(projectPath(name), join(folder, name), { recursive: true })
  }
  const dockerfile = await read('Dockerfile')
  const [, brought = ''] = /^COPY ([^-].*) \.\/$/m.exec(dockerfile) ?? []
  for (const name of brought.split(' ')) t.ok(existsSync(join(folder, name)), `${name} is there to be copied`)

  await symlink(projectPath('node_modules'), join(folder, 'node_modules'))
  await run('npm', ['run', '--silent', 'build'], { cwd: folder })
  const taken = [...dockerfile.matchAll(/^COPY --from=build (.*) \S+$/gm)].flatMap(([, names = '']) => names.split(' '))
  t.ok(taken.includes('/app/dist'))
  for (const path of taken) t.ok(existsSync(join(folder, path.replace('/app/', ''))), path)
  for (const name of ['dist/server.js', 'dist/web/index.html', 'dist/web/licences.md', 'dist/cli/licences.md']) t.ok(existsSync(join(folder, name)), name)
  t.notOk(['test', '.env', 'uploads', '.git'].some((name) => existsSync(join(folder, name))), 'no test, secret or upload')
})
