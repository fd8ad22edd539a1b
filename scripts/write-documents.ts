import { readFile, writeFile } from 'node:fs/promises'
import { environmentExample, errorsDocument, openapiDocument, settingsTable } from './documents.js'

const root = new URL('../', import.meta.url)
const TABLE = /(<!-- settings -->\n)[\s\S]*?(<!-- end of settings -->)/

await writeFile(new URL('openapi.yaml', root), await openapiDocument())
await writeFile(new URL('docs/errors.md', root), errorsDocument())
await writeFile(new URL('.env.example', root), environmentExample())

const readme = new URL('README.md', root)
await writeFile(readme, (await readFile(readme, 'utf8')).replace(TABLE, (_table, begin: string, end: string) => `${begin}${settingsTable()}${end}`))
