/** The files that are generated from the code: what they must contain. `npm run openapi` writes them, the tests compare them. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { buildApp } from '../app.js'
import { CLIENT_ERRORS } from '../client/errors.js'
import { readConfig, VARIABLES } from '../lib/config.js'
import { randomBytes, toHex } from '../lib/crypto/bytes.js'
import { ERRORS } from '../lib/errors.js'

/** openapi.yaml */
export async function openapiDocument (): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'local-send-openapi-'))
  const app = await buildApp(readConfig({ UPLOAD_FOLDER: folder, ADMIN_TOKEN: toHex(randomBytes(32)) }))
  try {
    await app.ready()
    // Through JSON, as it is served: what YAML would write as an anchor stands there twice.
    const document: unknown = JSON.parse(JSON.stringify(app.swagger()))
    return `# Generated from the routes' schemas by \`npm run openapi\`.\n${stringify(document, { lineWidth: 120, aliasDuplicateObjects: false })}`
  } finally {
    await app.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** docs/errors.md */
export function errorsDocument (): string {
  const rows = Object.entries(ERRORS).map(([code, { status, message }]) => `| \`${code}\` | ${status} | ${message} |`)
  const ofClients = Object.entries(CLIENT_ERRORS).map(([code, message]) => `| \`${code}\` | ${message} |`)
  return `# Errors

Every error answer has the form \`{"statusCode", "code", "error", "message"}\`. \`code\` is stable and meant for programs; \`message\`
is for people and may say more than the sentence here. Where waiting helps, \`Retry-After\` says how many seconds.

Generated from \`lib/errors.ts\` and \`client/errors.ts\` by \`npm run openapi\`. The codes without a path to a caller of the API (\`CONFIRMATION_REFUSED\`,
\`METADATA_DAMAGED\`, \`WRAPPED_KEY_REFUSED\`) belong to the clients of end-to-end sessions.

| code | status | meaning |
|---|---|---|
${rows.join('\n')}

No answer names these; the client library, the command and the page meet them:

| code | meaning |
|---|---|
${ofClients.join('\n')}
`
}

interface Described {
  readonly desc?: string | undefined
  readonly default?: unknown
}

const shown = (value: unknown): string => Array.isArray(value) ? value.join(',') : ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : ''

const settings = (): Array<[string, Described]> => Object.entries<Described>(VARIABLES)

/** .env.example */
export function environmentExample (): string {
  const blocks = settings().map(([name, { desc = '', default: value }]) => `# ${desc}\n# ${name}=${shown(value)}\n`)
  return `# Copy to .env and remove the # before what you change. Generated from lib/config.ts by \`npm run openapi\`.\n\n${blocks.join('\n')}`
}

/** The table of settings in README.md. */
export function settingsTable (): string {
  const rows = settings().map(([name, { desc = '', default: value }]) => `| \`${name}\` | ${shown(value) === '' ? '' : `\`${shown(value)}\``} | ${desc} |`)
  return `| variable | default | meaning |\n|---|---|---|\n${rows.join('\n')}\n`
}
