/** What deploy/ has for several instances: that Compose and Kubernetes take it, and the server its settings. */

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { Ingress } from 'kubernetes-models/networking.k8s.io/v1/Ingress'
import { Namespace } from 'kubernetes-models/v1/Namespace'
import { Service } from 'kubernetes-models/v1/Service'
import type { IContainer } from 'kubernetes-models/v1/Container'
import t from 'tap'
import { parse } from 'yaml'
import { readConfig, VARIABLES, type Config } from '../../lib/config.js'
import { eventually } from '../helpers/events.js'
import { adapted, freePort, shipped } from '../helpers/nginx.js'
import { projectPath } from '../helpers/project.js'
import { newSecret } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'
import { needs, REDIS } from '../helpers/services.js'
import { kustomize, type Resource } from './kustomize.js'

const run = promisify(execFile)
const KINDS = { Namespace, Service, StatefulSet, Deployment, Ingress, NetworkPolicy, PodDisruptionBudget }
const GIVEN = { DOMAIN: 'files.example.org', SESSION_KEY_SECRET: newSecret(), REDIS_PASSWORD: newSecret(), S3_ACCESS_KEY: 'access', S3_SECRET_KEY: 'secret' }
/** What is not the server's own to read. */
const OTHERS = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'REDIS_PASSWORD']

/** What the image itself sets. */
async function imageEnvironment (): Promise<Record<string, string>> {
  const [, line = ''] = /^ENV (.*)$/m.exec(await shipped('../Dockerfile')) ?? []
  return Object.fromEntries(line.split(' ').map((pair) => pair.split('=') as [string, string]))
}

/** The configuration as the server reads it there; every name must be one that it, or the AWS SDK, knows. */
async function configOf (environment: Readonly<Record<string, string>>): Promise<Config> {
  for (const name of Object.keys(environment)) if (!(name in VARIABLES) && !OTHERS.includes(name)) throw new Error(`${name} is no setting`)
  const config = readConfig({ ...await imageEnvironment(), ...environment })
  if (config.NODE_ENV !== 'production') throw new Error('not in production')
  return config
}

interface Composed {
  readonly services: Readonly<Record<string, {
    readonly image: string
    readonly environment: Readonly<Record<string, string>>
    readonly command: readonly string[]
    readonly healthcheck: { readonly test: readonly string[] }
    readonly networks: object
    readonly ports: object | undefined
    readonly read_only: boolean | undefined
    readonly user: string | undefined
    readonly mem_limit: string | undefined
    readonly stop_grace_period: string
  }>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
}

async function composed (given: Readonly<Record<string, string>> = GIVEN): Promise<Composed> {
  const files = ['compose.yaml', 'compose.instances.yaml'].flatMap((name) => ['--file', projectPath('deploy', name)])
  const { stdout } = await run('docker-compose', [...files, 'config'], { env: { PATH: process.env['PATH'], ...given } })
  // It doubles what stands for itself, so that it can be read again.
  return parse(stdout.replaceAll('$$', '$')) as Composed
}

t.test('the Compose file: two instances, and what they share where nobody else gets', async (t) => {
  if (!await needs(t, 'docker-compose')) return
  const { services, networks } = await composed()
  const { proxy, server, 'server-2': second, redis, storage } = services
  if (proxy === undefined || server === undefined || second === undefined || redis === undefined || storage === undefined) throw new Error('not all of them are there')
  t.same(second.environment, server.environment)
  const config = await configOf(server.environment)
  t.match(config, { SESSION_STORE: 'redis', BLOB_STORE: 's3', REDIS_URL: { addresses: [{ host: 'redis', port: 6379 }], password: GIVEN.REDIS_PASSWORD } })
  t.same(proxy.environment['UPSTREAM']?.split(' '), ['server', 'server-2'].map((name) => `${name}:${config.PORT}`))
  t.equal(config.S3_ENDPOINT, `http://storage${storage.environment['VGW_PORT']}`)
  t.same([storage.environment['ROOT_ACCESS_KEY'], storage.environment['ROOT_SECRET_KEY']], [server.environment['AWS_ACCESS_KEY_ID'], server.environment['AWS_SECRET_ACCESS_KEY']])
  t.ok(Number.parseInt(server.stop_grace_period) > config.SHUTDOWN_GRACE)

  t.same(Object.entries(services).filter(([, { ports }]) => ports !== undefined).map(([name]) => name), ['proxy'])
  t.same(Object.keys(redis.networks), ['stores'])
  t.same(Object.keys(storage.networks), ['stores'])
  t.same(Object.keys(proxy.networks).sort(), ['inside', 'outside'])
  t.same([networks['stores']?.internal, networks['inside']?.internal], [true, true])
  for (const [name, service] of Object.entries(services)) t.ok(service.read_only, name)
  for (const { user, mem_limit: limit, image } of [redis, storage]) {
    t.match(user, /^[1-9]\d*:/)
    t.ok(limit)
    t.match(image, /:v?\d+\.\d+/)
  }
  for (const name of Object.keys(GIVEN)) await t.rejects(composed({ ...GIVEN, [name]: '' }), { message: new RegExp(name) })
})

t.test('Valkey as Compose and Kubernetes start it keeps what it is told, and opens to the password alone', async (t) => {
  for (const service of ['docker-compose', 'redis'] as const) if (!await needs(t, service)) return
  const { redis } = (await composed()).services
  const pod = (await rendered()).find(({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === 'redis')
  const container = pod?.spec?.template?.spec.containers[0]
  for (const [command, probe] of [[redis?.command, redis?.healthcheck.test[1]], [container?.command, container?.readinessProbe?.exec?.command?.[2]]] as const) {
    const [shell = '', flag = '', script = ''] = command ?? []
    const [port, folder, password] = [String(await freePort()), await temporaryFolder(t), newSecret()]
    const here = adapted(script, { 'valkey-server': REDIS, 'dir /data': `dir ${folder}\nport ${port}\nbind 127.0.0.1` })
    const env = { PATH: process.env['PATH'], REDISCLI_AUTH: password }
    const child = spawn(shell, [flag, here], { env, stdio: 'ignore' })
    t.teardown(() => child.kill('SIGKILL'))
    const check = adapted(probe ?? '', { 'valkey-cli': `redis-cli -p ${port}` })
    const isHealthy = async (REDISCLI_AUTH: string): Promise<boolean> => await run('sh', ['-c', check], { env: { ...env, REDISCLI_AUTH } }).then(() => true, () => false)
    await eventually(() => isHealthy(password))
    t.notOk(await isHealthy('another one'))
    const setting = async (name: string): Promise<string> => (await run('redis-cli', ['-p', port, 'config', 'get', name], { env })).stdout.trim().split('\n')[1] ?? ''
    t.same(await Promise.all(['maxmemory-policy', 'appendonly', 'maxmemory'].map(setting)), ['noeviction', 'yes', String(384 * 2 ** 20)])
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    t.same(await exit, [0, null], 'and it ends when it is told to')
  }
})

interface Manifest extends Resource {
  readonly spec?: {
    readonly replicas?: number
    readonly strategy?: unknown
    readonly podSelector?: { readonly matchLabels: object }
    readonly selector?: { readonly matchLabels?: object }
    readonly egress?: ReadonlyArray<{ readonly ports: ReadonlyArray<{ readonly port: number | string }> }>
    readonly template?: { readonly metadata: { readonly labels: object }, readonly spec: { readonly terminationGracePeriodSeconds: number, readonly containers: readonly IContainer[] } }
  }
}

const rendered = async (): Promise<Manifest[]> => await kustomize('kubernetes-instances')

/** A container's environment, with something in the place of each secret, and what refers to others filled in. */
function environmentOf ({ env = [] }: IContainer): Record<string, string> {
  const result: Record<string, string> = {}
  for (const { name, value, valueFrom } of env) {
    if (valueFrom !== undefined && valueFrom.secretKeyRef?.name !== 'local-send') throw new Error(`${name} comes from elsewhere`)
    result[name] = value?.replace(/\$\((\w+)\)/g, (_all, other: string) => result[other] ?? '') ?? newSecret()
  }
  return result
}

t.test('the Kubernetes manifests: two instances, one after the other', async (t) => {
  const manifests = await rendered()
  for (const manifest of manifests) {
    const Model = KINDS[manifest.kind as keyof typeof KINDS]
    t.doesNotThrow(() => { new Model(manifest as object).validate() }, `${manifest.kind} ${manifest.metadata.name}`)
  }
  t.same([...new Set(manifests.map(({ kind }) => kind))].sort(), Object.keys(KINDS).sort())
  const one = (kind: string, name: string): NonNullable<Manifest['spec']> => manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name)?.spec ?? {}

  const { replicas, strategy, template } = one('Deployment', 'local-send')
  t.match({ replicas, strategy }, { replicas: 2, strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } } })
  const [container] = template?.spec.containers ?? []
  if (template === undefined || container === undefined) throw new Error('there is no container')
  const environment = environmentOf(container)
  const config = await configOf(environment)
  t.match(config, { SESSION_STORE: 'redis', BLOB_STORE: 's3', REDIS_URL: { addresses: [{ host: 'redis', port: 6379 }], password: environment['REDIS_PASSWORD'] } })
  t.equal(container.ports?.[0]?.containerPort, config.PORT)
  t.match(container, { readinessProbe: { httpGet: { path: '/health/ready' } }, volumeMounts: undefined })
  t.ok(template.spec.terminationGracePeriodSeconds > config.SHUTDOWN_GRACE)
  t.same(one('PodDisruptionBudget', 'local-send').selector?.matchLabels, template.metadata.labels)

  const stores = one('NetworkPolicy', 'local-send-stores')
  t.same(stores.podSelector?.matchLabels, template.metadata.labels)
  t.same(stores.egress?.flatMap(({ ports }) => ports.map(({ port }) => port)), [53, 53, 6379, 443])
  t.same(one('NetworkPolicy', 'redis').podSelector?.matchLabels, one('StatefulSet', 'redis').template?.metadata.labels)

  const [, ...said] = (await shipped('kubernetes-instances/kustomization.yaml')).match(/--from-literal=(\w+)/g)?.toString().split(/,?--from-literal=/) ?? []
  const referred = manifests.flatMap(({ spec }) => spec?.template?.spec.containers ?? []).flatMap(({ env = [] }) => env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef?.key ?? []))
  t.same([...new Set(referred)].sort(), said.sort(), 'the secret that it says to make has what is referred to')
})
