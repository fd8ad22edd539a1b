import { Server } from 'node:tls'
import fp from 'fastify-plugin'
import type { CertificateFiles } from '../lib/certificate-files.js'

/** Milliseconds between two looks at the files. */
const INTERVAL = 10_000

export interface CertificateOptions {
  readonly files: CertificateFiles
  /** Tests cannot wait so long. */
  readonly interval?: number | undefined
}

/** Goes over to a renewed certificate without a restart; one that cannot be used leaves the old one where it is. */
export default fp<CertificateOptions>((app, { files, interval = INTERVAL }) => {
  const { server } = app
  const renew = async (): Promise<void> => {
    const certificate = await files.readChanged()
    if (certificate === undefined || !(server instanceof Server)) return
    server.setSecureContext(certificate)
    app.log.info('took the renewed certificate')
  }
  let said: string | undefined
  const timer = setInterval(() => {
    renew().then(() => { said = undefined }, (error: unknown) => {
      // A file that is missing stays so for more than one look.
      if (said === String(error)) return
      said = String(error)
      app.log.error(error, 'the renewed certificate cannot be used; the old one stays')
    })
  }, interval).unref()
  app.addHook('onClose', (_instance, done) => {
    clearInterval(timer)
    done()
  })
  return Promise.resolve()
}, { name: 'certificate' })
