import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { environmentExample, errorsDocument, openapiDocument, settingsTable } from '../../scripts/documents.js'
import { projectPath } from '../helpers/project.js'

const read = (name: string): Promise<string> => readFile(projectPath(name), 'utf8')
const STALE = 'is what the code says; if not: npm run openapi'

t.test('openapi.yaml is generated from the routes', async (t) => {
  t.equal(await read('openapi.yaml'), await openapiDocument(), STALE)
})

t.test('openapi.yaml without a fault in the eyes of a linter', async (t) => {
  const cli = projectPath('node_modules/@redocly/cli/bin/cli.js')
  const { stderr, stdout } = await promisify(execFile)(process.execPath, [cli, 'lint', 'openapi.yaml', '--format=json'], {
    cwd: projectPath(), env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  }).catch((error: unknown) => error as { stderr: string, stdout: string })
  const { totals, problems } = JSON.parse(stdout) as { totals: { errors: number, warnings: number }, problems: object[] }
  t.same([totals.errors, totals.warnings], [0, 0], JSON.stringify(problems.slice(0, 3)) + stderr.slice(0, 0))
})

t.test('docs/errors.md, .env.example and the settings in README.md are generated', async (t) => {
  t.equal(await read('docs/errors.md'), errorsDocument(), STALE)
  t.equal(await read('.env.example'), environmentExample(), STALE)
  t.ok((await read('README.md')).includes(`<!-- settings -->\n${settingsTable()}<!-- end of settings -->`), STALE)
})
