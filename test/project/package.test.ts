/** The package that `npm pack` makes: what is in it, and that it works where nothing else is. */

import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { shippedFolders } from '../../scripts/shipped.js'
import '../helpers/plain-children.js'
import { spawnServer } from '../helpers/process.js'
import { projectPath } from '../helpers/project.js'
import { temporaryFolder } from '../helpers/server.js'

const run = promisify(execFile)

const EXPECTED = [
  /^(?:LICENSE|README\.md|CHANGELOG\.md|SECURITY\.md|\.env\.example|package\.json)$/,
  /^dist\/(?:app|server|workers|(?:cli|client|lib|plugins|routes)\/[\w/-]+)\.(?:js|d\.ts)$/,
  /^dist\/(?:cli|web)\/licences\.md$/,
  /^dist\/web\/(?:index\.html|icon(?:-\d+)?\.(?:png|svg)|manifest\.webmanifest|assets\/[\w-]+\.(?:js|css))$/
]
const NEEDED = ['LICENSE', 'README.md', 'CHANGELOG.md', 'SECURITY.md', 'package.json', 'dist/server.js', 'dist/cli/main.js', 'dist/cli/licences.md', 'dist/client/index.js', 'dist/client/index.d.ts', 'dist/web/index.html', 'dist/web/licences.md']

/** The package, unpacked where Node finds it by its name, beside what it depends on and nothing else. */
async function install (t: Test): Promise<string> {
  const folder = await temporaryFolder(t)
  const { stdout } = await run('npm', ['pack', '--json', `--pack-destination=${folder}`], { cwd: projectPath() })
  const [{ filename } = { filename: '' }] = JSON.parse(stdout) as Array<{ readonly filename: string }>
  const target = join(folder, 'node_modules', 'local-send')
  await mkdir(target, { recursive: true })
  await run('tar', ['-xzf', join(folder, filename), '-C', target, '--strip-components=1'])
  const lock = JSON.parse(await readFile(projectPath('package-lock.json'), 'utf8')) as { readonly packages: Readonly<Record<string, { readonly dev?: boolean }>> }
  for (const [path, { dev }] of Object.entries(lock.packages)) {
    // What lies deeper comes along with the package around it.
    if (dev === true || path.lastIndexOf('node_modules/') !== 0) continue
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await symlink(projectPath(path), join(folder, path))
  }
  return folder
}

t.test('the package holds what it needs, and nothing of the machine that made it', async (t) => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json'], { cwd: projectPath() })
  const [{ files } = { files: [] }] = JSON.parse(stdout) as Array<{ readonly files: ReadonlyArray<{ readonly path: string }> }>
  const paths = files.map(({ path }) => path)
  t.same(paths.filter((path) => !EXPECTED.some((pattern) => pattern.test(path))), [])
  for (const path of NEEDED) t.ok(paths.includes(path), path)
  for (const path of paths) t.notOk((await readFile(projectPath(path), 'latin1')).includes(projectPath()), `${path} names no folder`)
})

t.test('installed, it has a command, a client library, a server and a page', async (t) => {
  const folder = await install(t)
  const main = join(folder, 'node_modules/local-send/dist/cli/main.js')
  const { version } = JSON.parse(await readFile(projectPath('package.json'), 'utf8')) as { readonly version: string }
  t.equal((await run(process.execPath, [main, '--version'], { cwd: folder })).stdout, `${version}\n`)
  const names = await run(process.execPath, ['--input-type=module', '--eval', "console.log(Object.keys(await import('local-send/client')).join())"], { cwd: folder })
  t.same(names.stdout.trim().split(',').sort(), Object.keys(await import('../../client/index.js')).sort())

  const server = await spawnServer(t, { UPLOAD_FOLDER: join(folder, 'uploads'), SESSION_STORE: 'memory' }, { program: [main, 'serve'] })
  t.not(server.origin, '', server.output())
  t.match(await (await fetch(server.origin)).text(), /<script type="module"/)
  t.equal((await fetch(`${server.origin}/openapi.json`)).status, 200)
  const licences = await fetch(`${server.origin}/licences.md`)
  t.match(licences.headers.get('content-type'), 'text/markdown')
  t.match(await licences.text(), '## elliptic ')
  server.child.kill('SIGTERM')
  t.equal(await server.exit, 0)
})

/** The packages that a bundle was made from, as its source map says. */
async function bundled (map: string): Promise<Set<string>> {
  const { sources } = JSON.parse(await readFile(map, 'utf8')) as { readonly sources: readonly string[] }
  return new Set(sources.flatMap((source) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? []))
}

t.test('whatever is built in has its licence beside it, and is counted as shipped', async (t) => {
  const assets = projectPath('dist/web/assets')
  const maps = (await readdir(assets)).filter((name) => name.endsWith('.js.map')).map((name) => join(assets, name))
  t.ok(maps.length > 0)
  const shipped = await shippedFolders()
  for (const [part, files] of [['web', maps], ['cli', [projectPath('dist/cli/main.js.map')]]] as const) {
    const licences = await readFile(projectPath('dist', part, 'licences.md'), 'utf8')
    const sections = [...licences.matchAll(/^## (\S+) \S+ \(\S+\)\n\n([\s\S]+?)(?=\n## |$(?![\s\S]))/gm)].map(([, name = '', text = '']) => ({ name, text }))
    const names = new Set((await Promise.all(files.map(bundled))).flatMap((found) => [...found]))
    t.ok(names.size > 5, `${names.size} packages`)
    t.same(sections.map(({ name }) => name).sort(), [...names].sort(), part)
    for (const { name, text } of sections) t.match(text, /Permission (?:is hereby granted|to use, copy)/, `${part}: ${name}`)
    for (const name of names) t.ok(shipped.has(`node_modules/${name}`), `${name} is counted as shipped`)
  }
})
