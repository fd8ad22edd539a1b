import { readFile } from 'node:fs/promises'
import t from 'tap'
import { projectPath } from '../helpers/project.js'

interface Package {
  readonly version?: string
  readonly license?: string
  readonly dev?: boolean
  readonly resolved?: string
  readonly hasInstallScript?: boolean
}

const { packages } = JSON.parse(await readFile(projectPath('package-lock.json'), 'utf8')) as { packages: Record<string, Package> }

/** Below these, known holes: denial of service and parser differences in multipart, schema bypass, trust of forged addresses. */
const LEAST: Record<string, string> = {
  fastify: '5.12.0',
  '@fastify/multipart': '10.1.9',
  '@fastify/busboy': '3.2.6',
  '@fastify/proxy-addr': '5.1.1',
  '@fastify/rate-limit': '11.0.0',
  '@fastify/swagger': '9.0.0',
  '@fastify/swagger-ui': '6.0.0',
  elliptic: '6.6.1',
  'file-type': '21.3.1',
  tap: '21.8.0'
}

const LICENCES = new Set(['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0', 'MIT-0', '0BSD', 'Unlicense', 'CC0-1.0'])

const atLeast = (version: string, least: string): boolean => version.localeCompare(least, 'en', { numeric: true }) >= 0

for (const [name, least] of Object.entries(LEAST)) {
  t.test(`${name} is at least ${least}, wherever it is installed`, (t) => {
    const versions = Object.entries(packages).filter(([path]) => path.endsWith(`node_modules/${name}`)).map(([, { version = '' }]) => version)
    t.ok(versions.length > 0, 'it is installed')
    for (const version of versions) t.ok(atLeast(version, least), version)
    t.end()
  })
}

/** What is built into the web page, and so ships without being installed. */
const BUILT_IN = ['preact', '@preact/signals', '@preact/signals-core', 'client-zip'].map((name) => `node_modules/${name}`)

t.test('what ships has a licence that lets it', (t) => {
  for (const [path, { dev, license = 'none', version }] of Object.entries(packages)) {
    if (path !== '' && (dev !== true || BUILT_IN.includes(path)) && version !== undefined) t.ok(LICENCES.has(license), `${path}: ${license}`)
  }
  t.end()
})

t.test('the lock file names no registry', (t) => {
  const hosts = new Set(Object.values(packages).flatMap(({ resolved }) => resolved === undefined ? [] : [new URL(resolved).host]))
  t.same([...hosts], [])
  t.end()
})
