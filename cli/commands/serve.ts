export interface ServeOptions {
  readonly host?: string
  readonly port?: number
  readonly folder?: string
}

/** `serve`: the server in this process, until it is asked to end. Its settings are environment variables; these three are flags, too. */
export async function serve ({ host, port, folder }: ServeOptions): Promise<void> {
  if (host !== undefined) process.env['HOST'] = host
  if (port !== undefined) process.env['PORT'] = String(port)
  if (folder !== undefined) process.env['UPLOAD_FOLDER'] = folder
  await import('../../server.js')
}
