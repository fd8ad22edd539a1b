import { readFile } from 'node:fs/promises'
import t from 'tap'
import { shippedFolders } from '../../scripts/shipped.js'
import { projectPath } from '../helpers/project.js'

interface Package {
  readonly version?: string
  readonly license?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly hasInstallScript?: boolean
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

const { packages } = JSON.parse(await readFile(projectPath('package-lock.json'), 'utf8')) as { packages: Record<string, Package> }
const manifest = JSON.parse(await readFile(projectPath('package.json'), 'utf8')) as Manifest

/** The first good versions of what had known holes: one, or one for each major version that was mended. */
const LEAST: Record<string, readonly string[]> = {
  // Body schemas passed by with odd Content-Types (CVE-2026-25223, CVE-2026-3419, CVE-2026-33806), replies by Web Streams, and later ones.
  fastify: ['5.12.0'],
  // Denial of service, parts read differently than by others.
  '@fastify/multipart': ['10.1.9'],
  '@fastify/busboy': ['3.2.6'],
  // Trust of forged addresses.
  '@fastify/proxy-addr': ['5.1.1'],
  '@fastify/rate-limit': ['11.0.0'],
  // Encoded separators past a guard (CVE-2026-6414).
  '@fastify/static': ['9.1.1'],
  '@fastify/swagger': ['9.0.0'],
  '@fastify/swagger-ui': ['6.0.0'],
  // Signatures, which nothing here makes: no version is without an advisory (docs/dependencies.md).
  elliptic: ['6.6.1'],
  // Hosts and paths read differently than by others (CVE-2026-6321, CVE-2026-6322, CVE-2026-13676).
  'fast-uri': ['3.1.3', '4.0.1'],
  'file-type': ['21.3.1'],
  // Patterns that take for ever (CVE-2026-26996, CVE-2026-27903, CVE-2026-27904).
  minimatch: ['3.1.4', '9.0.7', '10.2.3'],
  // Answers that exhaust or end a client (CVE-2026-22036, CVE-2026-2229).
  undici: ['6.24.0', '7.24.0'],
  // The development server, and what was downloaded at install (GHSA-gv7w-rqvm-qjhr).
  esbuild: ['0.28.1'],
  // JSON taken for elements (CVE-2026-22028).
  preact: ['10.28.2'],
  tap: ['21.8.0']
}

const SHIPPED_LICENCES = new Set(['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0', 'MIT-0', '0BSD', 'Unlicense', 'CC0-1.0'])
/** What never leaves a developer's machine may besides be under these. */
const OTHER_LICENCES = new Set([...SHIPPED_LICENCES, 'MPL-2.0', 'Python-2.0', 'CC-BY-3.0', '(WTFPL OR MIT)', '(MIT OR CC0-1.0)'])
/** The lock file has no licence of them; their READMEs and package.json files say MIT. */
const WITHOUT_LICENCE = new Set(['node_modules/combine-errors', 'node_modules/jsonc-simple-parser'])

const atLeast = (version: string, least: string): boolean => version.localeCompare(least, 'en', { numeric: true }) >= 0
const major = (version: string): string => version.split('.')[0] ?? ''
const isGood = (version: string, least: readonly string[]): boolean =>
  least.some((first, index) => atLeast(version, first) && (major(version) === major(first) || index === least.length - 1))

for (const [name, least] of Object.entries(LEAST)) {
  t.test(`${name} is at least ${least.join(' or ')}, wherever it is installed`, (t) => {
    const versions = Object.entries(packages).filter(([path]) => path.endsWith(`node_modules/${name}`)).map(([, { version = '' }]) => version)
    t.ok(versions.length > 0, 'it is installed')
    for (const version of versions) t.ok(isGood(version, least), version)
    t.end()
  })
}

t.test('what ships has a licence that lets it, and the rest one that lets it be used', async (t) => {
  const shipped = await shippedFolders()
  for (const [path, { license = 'none', version }] of Object.entries(packages)) {
    if (path === '' || version === undefined || WITHOUT_LICENCE.has(path)) continue
    const allowed = shipped.has(path) ? SHIPPED_LICENCES : OTHER_LICENCES
    t.ok(allowed.has(license), `${path}: ${license}`)
  }
})

t.test('the lock file names no registry, and the digest of every package', (t) => {
  const hosts = new Set(Object.values(packages).flatMap(({ resolved }) => resolved === undefined ? [] : [new URL(resolved).host]))
  t.same([...hosts], [])
  for (const [path, { integrity }] of Object.entries(packages)) if (path !== '') t.match(integrity, /^sha512-/, path)
  t.end()
})

t.test('no package runs a script of its own at install', async (t) => {
  t.match(await readFile(projectPath('.npmrc'), 'utf8'), /^ignore-scripts=true$/m)
  const commands = (await readFile(projectPath('Dockerfile'), 'utf8')).match(/^RUN npm (?:ci|install|prune).*$/gm) ?? []
  t.ok(commands.length > 0)
  for (const command of commands) t.match(command, /--ignore-scripts/)
  // What would run one: each of them works without, by what it ships or by what it needs.
  const scripted = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)
  t.same(scripted, ['node_modules/classic-level', 'node_modules/esbuild'])
})

t.test('docs/dependencies.md has every package, with its licence, and no other', async (t) => {
  const document = await readFile(projectPath('docs/dependencies.md'), 'utf8')
  const [installed = '', builtIn = '', development = ''] = document.split(/^## What /m).slice(1)
  const rows = (section: string): Array<readonly [string, string]> => [...section.matchAll(/^\| `([^`]+)` \| ([^|]+) \|/gm)].map(([, name = '', licence = '']) => [name, licence])
  t.same(rows(installed).map(([name]) => name), Object.keys(manifest.dependencies))
  t.same([...rows(builtIn), ...rows(development)].map(([name]) => name).sort(), Object.keys(manifest.devDependencies).sort())
  for (const [name, licence] of rows(document)) t.equal(licence, packages[`node_modules/${name}`]?.license, name)
})
