import { execFile } from 'node:child_process'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Service } from 'kubernetes-models/v1/Service'
import { Namespace } from 'kubernetes-models/v1/Namespace'
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import { Ingress } from 'kubernetes-models/networking.k8s.io/v1/Ingress'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import t from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { adapted, shipped } from '../helpers/nginx.js'
import { projectPath, startFlags } from '../helpers/project.js'
import { temporaryFolder } from '../helpers/server.js'
import { needs } from '../helpers/services.js'

const run = promisify(execFile)
/** Of systemd-analyze: tenths of 0 (safe) to 10 (exposed). */
const EXPOSURE = 15
const COMPOSE = projectPath('deploy/compose.yaml')
const WITH_WEBHOOK = projectPath('deploy/compose.webhook.yaml')

interface Composed {
  readonly services: Readonly<Record<'proxy' | 'server', { readonly networks: object }>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
}

t.test('image and unit start the server as npm start does, and bound what its memory keeps', async (t) => {
  const dockerfile = await shipped('../Dockerfile')
  const unit = await shipped('systemd/local-send.service')
  t.match(dockerfile, `CMD ${JSON.stringify(['node', ...startFlags(), 'dist/server.js']).replaceAll(',', ', ')}\n`)
  t.match(unit, `ExecStart=/usr/bin/node ${startFlags().join(' ')} dist/server.js\n`)
  for (const file of [dockerfile, unit]) t.match(file, 'MALLOC_TRIM_THRESHOLD_=131072\n')
})

t.test('the systemd unit is understood, and hardened', async (t) => {
  if (!await needs(t, 'systemd-analyze')) return
  const path = join(await temporaryFolder(t), 'local-send.service')
  await writeFile(path, adapted(await shipped('systemd/local-send.service'), { '/usr/bin/node': process.execPath }))
  const verified = await run('systemd-analyze', ['verify', '--man=no', path])
  t.equal(verified.stderr + verified.stdout, '')
  await t.resolves(run('systemd-analyze', ['security', '--offline=true', `--threshold=${EXPOSURE}`, path]))
})

t.test('the Compose file is understood, and the server trusts its proxy alone', async (t) => {
  const { services } = parse(await shipped('compose.yaml')) as { services: { proxy: { networks: { inside: { ipv4_address: string } } }, server: { environment: { TRUST_PROXY: string } } } }
  t.equal(services.server.environment.TRUST_PROXY, services.proxy.networks.inside.ipv4_address)
  if (!await needs(t, 'docker-compose')) return
  const check = (env: Record<string, string>) => run('docker-compose', ['--file', COMPOSE, 'config', '--quiet'], { env: { PATH: process.env['PATH'], ...env } })
  await t.resolves(check({ DOMAIN: 'files.example.org', SESSION_KEY_SECRET: 'secret' }))
  await t.rejects(check({ DOMAIN: 'files.example.org' }), { message: /SESSION_KEY_SECRET/ }, 'without a secret nothing starts')
})

t.test('with a webhook the server has a way out, and shares it with nobody', async (t) => {
  if (!await needs(t, 'docker-compose')) return
  const env = { PATH: process.env['PATH'], DOMAIN: 'files.example.org', SESSION_KEY_SECRET: 'secret', WEBHOOK_URL: 'https://hooks.example.org/', WEBHOOK_SECRET: 'secret' }
  const composed = async (...files: string[]): Promise<Composed> =>
    parse((await run('docker-compose', [...files.flatMap((file) => ['--file', file]), 'config'], { env })).stdout) as Composed
  const waysOut = ({ services, networks }: Composed, service: 'proxy' | 'server'): string[] => Object.keys(services[service].networks).filter((name) => networks[name]?.internal !== true)
  t.same(waysOut(await composed(COMPOSE), 'server'), [])
  const both = await composed(COMPOSE, WITH_WEBHOOK)
  t.same([waysOut(both, 'server'), waysOut(both, 'proxy')], [['way-out'], ['outside']])
  t.same(Object.keys(both.services.server.networks).sort(), ['inside', 'way-out'])
})

t.test('the Kubernetes manifests fit the schemas of Kubernetes', async (t) => {
  const models = { Namespace, Service, StatefulSet, Ingress, NetworkPolicy }
  const seen = new Set<string>()
  const names = await readdir(projectPath('deploy/kubernetes'), { recursive: true })
  const { resources } = parse(await shipped('kubernetes/kustomization.yaml')) as { resources: string[] }
  t.same(names.filter((path) => path.endsWith('.yaml') && !path.startsWith('optional/')).sort(), [...resources, 'kustomization.yaml'].sort())
  for (const name of names.filter((path) => path.endsWith('.yaml') && path !== 'kustomization.yaml')) {
    for (const document of parseAllDocuments(await shipped(`kubernetes/${name}`))) {
      t.same(document.errors, [])
      const kind = String(document.get('kind')) as keyof typeof models
      const value = document.toJS() as object
      const Model = models[kind]
      t.doesNotThrow(() => { new Model(value).validate() }, `${name} ${kind}`)
      seen.add(kind)
    }
  }
  t.same([...seen].sort(), Object.keys(models).sort())
  const wrong: object = { spec: { ports: [{ port: 'http' }] } }
  t.throws(() => { new Service(wrong).validate() }, 'and they would see a mistake')
})
