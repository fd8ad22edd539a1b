import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { environmentExample, errorsDocument, openapiDocument, settingsTable } from '../../scripts/documents.js'
import { projectPath } from '../helpers/project.js'

const read = (name: string): Promise<string> => readFile(projectPath(name), 'utf8')
const STALE = 'is what the code says; if not: npm run openapi'

t.test('openapi.yaml is generated from the routes', async (t) => {
  t.equal(await read('openapi.yaml'), await openapiDocument(), STALE)
})

t.test('openapi.yaml without a fault in the eyes of a linter', async (t) => {
  const cli = projectPath('node_modules/@redocly/cli/bin/cli.js')
  const { stderr, stdout } = await promisify(execFile)(process.execPath, [cli, 'lint', 'openapi.yaml', '--format=json'], {
    cwd: projectPath(), env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  }).catch((error: unknown) => error as { stderr: string, stdout: string })
  const { totals, problems } = JSON.parse(stdout) as { totals: { errors: number, warnings: number }, problems: object[] }
  t.same([totals.errors, totals.warnings], [0, 0], JSON.stringify(problems.slice(0, 3)) + stderr.slice(0, 0))
})

t.test('docs/errors.md, .env.example and the settings in README.md are generated', async (t) => {
  t.equal(await read('docs/errors.md'), errorsDocument(), STALE)
  t.equal(await read('.env.example'), environmentExample(), STALE)
  t.ok((await read('README.md')).includes(`<!-- settings -->\n${settingsTable()}<!-- end of settings -->`), STALE)
})

/** What people read, but README files of folders. */
const pages = async (): Promise<string[]> => [
  ...(await readdir(projectPath())).filter((name) => name.endsWith('.md')),
  ...(await readdir(projectPath('docs'))).filter((name) => name.endsWith('.md')).map((name) => join('docs', name))
]

/** The name by which a heading is linked to, as GitHub and GitLab make it. */
const anchor = (heading: string): string => heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')

t.test('links from one page to another lead somewhere', async (t) => {
  let links = 0
  for (const page of await pages()) {
    // Neither a block of code nor a name in it is a link.
    const text = (await read(page)).replaceAll(/```[\s\S]*?```|`[^`\n]*`/g, '')
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue
      links += 1
      const [path = '', fragment] = target.split('#')
      const file = path === '' ? page : normalize(join(dirname(page), path))
      if (!t.ok(existsSync(projectPath(file)), `${page}: ${target}`) || fragment === undefined) continue
      const headings = [...(await read(file)).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchor(heading))
      t.ok(headings.includes(fragment), `${page}: ${target}`)
    }
  }
  t.ok(links > 50, `${links} links`)
})

t.test('tests that a page names are there', async (t) => {
  for (const page of await pages()) {
    for (const [name] of (await read(page)).matchAll(/\btest\/[\w/-]+\.(?:test|soak)\.ts\b/g)) t.ok(existsSync(projectPath(name)), `${page}: ${name}`)
  }
  const promised = (await read('docs/threat-model.md')).split('\n').filter((line) => /^\| (?!attacker|---)/.test(line))
  t.ok(promised.length > 20, `${promised.length} attackers`)
  // What nothing stops, no test can prove.
  for (const line of promised) t.match(line, / nothing \| |test\/\S+\.(?:test|soak)\.ts/, line.slice(0, 60))
})

t.test('one version, everywhere', async (t) => {
  const { version } = JSON.parse(await read('package.json')) as { readonly version: string }
  t.match(await read('openapi.yaml'), `version: ${version}\n`)
  const [, newest] = /^## \[(\d+\.\d+\.\d+)\] - (?:Unreleased|\d{4}-\d{2}-\d{2})$/m.exec(await read('CHANGELOG.md')) ?? []
  t.equal(newest, version, 'the first section of CHANGELOG.md')
})
