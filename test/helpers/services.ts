import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { launch, type Browser } from 'puppeteer-core'
import type { Test } from 'tap'

const run = promisify(execFile)

/** Where Debian puts them; the variables are for machines that have them elsewhere. */
const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
export const FIREFOX = process.env['FIREFOX'] ?? '/usr/bin/firefox-esr'
export const PYTHON = process.env['PYTHON'] ?? '/usr/bin/python3'
export const NGINX = process.env['NGINX'] ?? '/usr/sbin/nginx'
export const PROMTOOL = process.env['PROMTOOL'] ?? '/usr/bin/promtool'
export const PROMETHEUS = process.env['PROMETHEUS'] ?? '/usr/bin/prometheus'
export const CADDY = process.env['CADDY'] ?? '/usr/bin/caddy'
/** Debian's own: Swift is installed for that one. */
const SYSTEM_PYTHON = '/usr/bin/python3'
export const REDIS = process.env['REDIS_SERVER'] ?? '/usr/bin/redis-server'
export const ARIA2 = process.env['ARIA2'] ?? '/usr/bin/aria2c'

/** What some tests run and `npm ci` does not bring: a command that succeeds where it is there, and how to get it. */
const SERVICES = {
  chromium: { probe: [CHROMIUM, '--version'], remedy: 'install chromium, or name it in CHROMIUM' },
  firefox: { probe: [FIREFOX, '--version'], remedy: 'install firefox-esr, or name it in FIREFOX' },
  httpx: { probe: [PYTHON, '-c', 'import httpx'], remedy: 'install python3 and python3-httpx, or name a Python that has httpx in PYTHON' },
  cryptography: { probe: [PYTHON, '-c', 'import httpx, cryptography'], remedy: 'install python3-httpx and python3-cryptography, or name a Python that has both in PYTHON' },
  aria2: { probe: [ARIA2, '--version'], remedy: 'install aria2, or name it in ARIA2' },
  nginx: { probe: [NGINX, '-v'], remedy: 'install nginx, or name it in NGINX' },
  promtool: { probe: [PROMTOOL, '--version'], remedy: 'install prometheus, or name its promtool in PROMTOOL' },
  prometheus: { probe: [PROMETHEUS, '--version'], remedy: 'install prometheus, or name it in PROMETHEUS' },
  caddy: { probe: [CADDY, 'version'], remedy: 'install caddy, or name it in CADDY' },
  redis: { probe: [REDIS, '--version'], remedy: 'install redis-server, or name it in REDIS_SERVER' },
  openssl: { probe: ['openssl', 'version'], remedy: 'install openssl' },
  'systemd-analyze': { probe: ['systemd-analyze', '--version'], remedy: 'install systemd' },
  'docker-compose': { probe: ['docker-compose', '--version'], remedy: 'install docker-compose' },
  namespaces: { probe: ['unshare', '--mount', '--map-root-user', 'true'], remedy: 'install util-linux, and allow user namespaces' },
  prlimit: { probe: ['prlimit', '--version'], remedy: 'install util-linux' },
  script: { probe: ['script', '-qefc', 'true', '/dev/null'], remedy: 'install bsdutils: its script gives a command a terminal' },
  swift: { probe: [SYSTEM_PYTHON, '-I', '-c', 'import swift.common.middleware.s3api'], remedy: 'install python3-swift' },
  git: { probe: ['git', '--version'], remedy: 'install git' },
  'ssh-keygen': { probe: ['ssh', '-V'], remedy: 'install openssh-client' },
  unzip: { probe: ['unzip', '-v'], remedy: 'install unzip' },
  registry: { probe: ['npm', 'ping', '--fetch-retries=0', '--fetch-timeout=10000'], remedy: 'npm needs its registry, so connect to the network' }
} as const

export type Service = keyof typeof SERVICES

/**
 * Whether a service is there. Where it is not, the test has been told so: passed over by name on a developer's machine, failed
 * under CI=true, where nothing may be left out silently.
 */
export async function needs (t: Test, service: Service): Promise<boolean> {
  const { probe: [program, ...args], remedy } = SERVICES[service]
  try {
    await run(program, args)
    return true
  } catch {
    const message = `${service} is missing: ${remedy}`
    if (process.env['CI'] === 'true') t.fail(message)
    else t.pass(`left out: ${t.name}`, { skip: message })
    return false
  }
}

/** Chromium with an empty profile; both are gone when the test ends. */
export async function startBrowser (t: Test, ...args: string[]): Promise<Browser> {
  const userDataDir = await mkdtemp(join(tmpdir(), 'local-send-chromium-'))
  t.teardown(() => rm(userDataDir, { recursive: true, force: true, maxRetries: 5 }))
  const browser = await launch({
    executablePath: CHROMIUM,
    userDataDir,
    headless: true,
    // What a page is waited for has a timeout of its own.
    protocolTimeout: 0,
    args: [
      // The pages are our own, and containers seldom allow the sandbox.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...args
    ]
  })
  t.teardown(() => browser.close())
  return browser
}

/** Milliseconds within which a download of a test is over, unless it says otherwise. */
const DOWNLOAD_TIMEOUT = 20_000

/**
 * The path of the file of this name, which must not be empty, as soon as the browser has the whole of it. Until then there is none,
 * or an empty one that keeps the name free, and what has come lies beside it.
 */
export async function downloaded (folder: string, name: string, timeout = DOWNLOAD_TIMEOUT): Promise<string> {
  const path = join(folder, name)
  const deadline = Date.now() + timeout
  for (let before = 0; ;) {
    const there = await readdir(folder)
    const { size } = await stat(path).catch(() => ({ size: 0 }))
    if (size > 0 && size === before && !there.includes(`${name}.crdownload`)) return path
    if (Date.now() > deadline) throw new Error(`no ${name} that is whole, but ${size} bytes of it, among the downloads: ${there.join(', ')}`)
    before = size
    await setTimeout(50)
  }
}
