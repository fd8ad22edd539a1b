/** Every fault is seen to do its harm where what guards against it has been taken out, so that its test is known to test something. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import t, { type Test } from 'tap'
import { applyEdits, type Edit } from '../helpers/edits.js'
import { projectPath } from '../helpers/project.js'
import { temporaryFolder } from '../helpers/server.js'
import { GUARDS } from './guards.js'

/** Milliseconds in which a test has failed. */
const PATIENCE = 240_000
const COPIED = ['app.ts', 'server.ts', 'workers.ts', 'lib', 'routes', 'plugins', 'client', 'cli', 'types', 'test', 'examples', 'docs', 'dist', 'openapi.yaml', 'package.json', 'tsconfig.json']

for (const { fault, guard, edits, test } of GUARDS) {
  t.test(`${fault}: ${test} fails without this: ${guard}`, async (t) => {
    const said = await run(await edited(t, edits), test)
    t.ok(/^ *not ok /m.test(said), 'it fails')
    t.notOk(/# SKIP|timeout!/.test(said), 'by what it asserts')
    if (!t.passing()) t.comment(said.slice(-5000))
  })
}

/** A copy of the project without these guards, built. @returns its folder */
async function edited (t: Test, edits: readonly Edit[]): Promise<string> {
  const folder = await temporaryFolder(t)
  for (const name of COPIED) await cp(projectPath(name), join(folder, name), { recursive: true })
  await symlink(projectPath('node_modules'), join(folder, 'node_modules'))
  await applyEdits(folder, edits)
  const common = { platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' } as const
  await build({ ...common, entryPoints: edits.map(({ file }) => join(folder, file)), outbase: folder, outdir: join(folder, 'dist') })
  await build({ ...common, entryPoints: [join(folder, 'cli/main.ts')], outfile: join(folder, 'dist/cli/main.js'), bundle: true, packages: 'external', external: ['*/serve.js'] })
  return folder
}

/** @returns what a test says of itself */
async function run (folder: string, test: string): Promise<string> {
  const env = { PATH: process.env['PATH'], CI: 'true', TAP_BAIL: '1', TAP_TIMEOUT: '200' }
  const child = spawn(process.execPath, ['--import', 'tsx', test], { cwd: folder, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const said: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { said.push(text) })
  // A test that bails out leaves the servers that it has started, and they hold its output open.
  const endAll = (): void => { if (child.pid !== undefined) endGroup(child.pid) }
  const timer = setTimeout(endAll, PATIENCE)
  child.once('exit', endAll)
  await once(child, 'close')
  clearTimeout(timer)
  return said.join('')
}

function endGroup (pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}
