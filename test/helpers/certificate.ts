import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { globalAgent } from 'node:https'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { Agent, getGlobalDispatcher, setGlobalDispatcher } from 'undici'

/** What fetch and node:https have been told to believe. */
const trusted: string[] = []

/** All of it, for what is given its authorities by hand. */
export const authorities = (): string[] => [...trusted]

export interface TestCertificate {
  readonly certFile: string
  readonly keyFile: string
  /** PEM. */
  readonly cert: string
}

/** Makes a self-signed certificate of the loopback interface, by openssl, as `cert.pem` and `key.pem`. */
export async function createCertificate (folder: string): Promise<TestCertificate> {
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await promisify(execFile)('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-out', certFile, '-keyout', keyFile
  ])
  return { certFile, keyFile, cert: await readFile(certFile, 'utf8') }
}

/** Has `fetch` and node:https of this process believe a certificate, besides those that it believed before in this way. */
export function trust (t: Test, cert: string): void {
  const before = getGlobalDispatcher()
  trusted.push(cert)
  const agent = new Agent({ connect: { ca: [...trusted] } })
  setGlobalDispatcher(agent)
  globalAgent.options.ca = [...trusted]
  t.teardown(async () => {
    setGlobalDispatcher(before)
    await agent.close()
  })
}
