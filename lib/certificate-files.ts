import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { ConfigError, type Config } from './config.js'

/** PEM: the certificate with its chain, and its private key. */
export interface Certificate {
  readonly cert: Buffer
  readonly key: Buffer
}

/**
 * A certificate and its key in two files, which somebody else renews while the server runs. They are compared by content: renewing
 * tools replace files, links or whole folders, and no kind of file watcher sees all of that.
 */
export class CertificateFiles {
  readonly #certFile: string
  readonly #keyFile: string
  #last: Certificate | undefined

  constructor (certFile: string, keyFile: string) {
    this.#certFile = certFile
    this.#keyFile = keyFile
  }

  /**
   * What lies there, if it is something else than at the last call.
   * @throws Error if it cannot be used: said once, like what can be
   */
  async readChanged (): Promise<Certificate | undefined> {
    const [cert, key] = await Promise.all([readFile(this.#certFile), readFile(this.#keyFile)])
    if (this.#last?.cert.equals(cert) === true && this.#last.key.equals(key)) return undefined
    this.#last = { cert, key }
    // Whether both are whole and belong together; while one of the two has been replaced only, they do not.
    createSecureContext({ cert, key })
    return this.#last
  }
}

/**
 * The certificate that the settings name; `undefined` if they name none.
 * @throws ConfigError if it cannot be used
 */
export async function openCertificate ({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile }: Config): Promise<{ readonly files: CertificateFiles, readonly certificate: Certificate } | undefined> {
  if (certFile === undefined || keyFile === undefined) return undefined
  const files = new CertificateFiles(certFile, keyFile)
  try {
    const certificate = await files.readChanged()
    return certificate && { files, certificate }
  } catch (cause) {
    throw new ConfigError(`TLS_CERT_FILE and TLS_KEY_FILE must be a certificate and its key, both PEM: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause })
  }
}
