import { execFile } from 'node:child_process'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { projectPath } from '../helpers/project.js'
import { temporaryFolder } from '../helpers/server.js'
import { needs, PYTHON } from '../helpers/services.js'

const CHECK = projectPath('test/examples/check_vectors.py')
const VECTORS = projectPath('test/vectors')

const check = (folder: string): Promise<{ stdout: string, stderr: string }> =>
  promisify(execFile)(PYTHON, [CHECK, folder], { env: { PYTHONDONTWRITEBYTECODE: '1' } })

/** One value of every step, altered one at a time. */
const STEPS = {
  handshakes: ['passwordBytes', 'w', 'idA', 'idB', 'aad', 'pB', 'K', 'TT', 'KcB', 'cA', 'sessionKey', 'verifier', 'wrappedContentKey'],
  containers: ['header', 'lastTag', 'containerSize', 'containerSha256'],
  metadata: ['json', 'sealed']
} as const

/** Another value of the same form. */
const altered = (value: string | number): string | number => {
  if (typeof value === 'number') return value + 1
  return value.startsWith('{') ? value.replace(':12345,', ':12346,') : value.slice(0, -1) + (value.endsWith('1') ? '2' : '1')
}

t.test('an implementation from the page alone comes to the values of the vectors', async (t) => {
  if (!await needs(t, 'cryptography')) return
  t.match((await check(VECTORS)).stdout, /^\d{3,} values\n$/)
})

t.test('and sees every value that is another one', async (t) => {
  if (!await needs(t, 'cryptography')) return
  const folder = await temporaryFolder(t)
  await cp(VECTORS, folder, { recursive: true })
  const vectors = JSON.parse(await readFile(join(VECTORS, 'local-send-1.json'), 'utf8')) as Record<keyof typeof STEPS, Array<Record<string, string | number>>>
  for (const kind of ['handshakes', 'containers', 'metadata'] as const) {
    const [vector = {}] = vectors[kind]
    for (const name of STEPS[kind]) {
      const value = vector[name] ?? ''
      vector[name] = altered(value)
      await writeFile(join(folder, 'local-send-1.json'), JSON.stringify(vectors))
      vector[name] = value
      await t.rejects(check(folder), { code: 1, stderr: new RegExp(`^${kind} 0 `) }, `${kind} ${name}`)
    }
  }
})
