/**
 * A release of the project as it stands here, in a repository of its own, under a key that is thrown away: two builds are the same,
 * and whoever verifies as SECURITY.md says finds whatever was changed afterwards.
 */

import { execFile } from 'node:child_process'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import '../helpers/plain-children.js'
import { projectPath } from '../helpers/project.js'
import { temporaryFolder } from '../helpers/server.js'
import { needs } from '../helpers/services.js'

const run = promisify(execFile)

/** What is made here, and what is linked instead. */
const LEFT_OUT = new Set(['node_modules', 'dist', 'build', 'coverage', 'release', 'uploads', '.git', '.tap', '.env'])
const IDENTITY = ['-c', 'user.name=Somebody', '-c', 'user.email=somebody@example.org', '-c', 'commit.gpgSign=false']

const { version } = JSON.parse(await readFile(projectPath('package.json'), 'utf8')) as { readonly version: string }

/** The commands of the first block behind a text of a document, with this version in them. */
async function documented (document: string, text: string): Promise<string> {
  const [, rest = ''] = (await readFile(projectPath(document), 'utf8')).split(text)
  const [, block = ''] = /```sh\n([\s\S]*?)```/.exec(rest) ?? []
  return `set -e\n${block.replaceAll('VERSION', version)}`
}

t.test('a release is reproducible, signed, and verified as documented', async (t) => {
  if (!await needs(t, 'registry') || !await needs(t, 'git') || !await needs(t, 'ssh-keygen')) return
  const home = await temporaryFolder(t)
  const clone = join(home, 'clone')
  const key = join(home, 'key')
  const environment = { ...process.env, HOME: home, GIT_CONFIG_NOSYSTEM: '1', GIT_COMMITTER_NAME: 'Somebody', GIT_COMMITTER_EMAIL: 'somebody@example.org', npm_config_cache: process.env['npm_config_cache'] ?? join(process.env['HOME'] ?? home, '.npm') }
  const here = async (program: string, ...args: readonly string[]): Promise<string> => (await run(program, args, { cwd: clone, env: environment, maxBuffer: 2 ** 28 })).stdout
  const release = (signer = key): Promise<string> => here('npm', 'run', '--silent', 'release', '--', '--key', signer, '--without-checks')
  const refusal = (signer?: string): Promise<string> => release(signer).then(() => 'it was released', (error: unknown) => error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error))
  const commit = (message: string): Promise<string> => here('git', ...IDENTITY, 'commit', '--quiet', '--all', `--message=${message}`)

  await cp(projectPath(), clone, { recursive: true, filter: (path) => !LEFT_OUT.has(relative(projectPath(), path)) && !path.endsWith('/node_modules') })
  await cp(projectPath('node_modules'), join(clone, 'node_modules'), { recursive: true, verbatimSymlinks: true })
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key])
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(home, 'other')])

  t.comment('what is refused before anything is built')
  await here('git', 'init', '--quiet')
  await here('git', 'add', '--all')
  await commit('Everything')
  await writeFile(join(clone, 'CHANGELOG.md'), `# Changelog\n\n## [${version}] - Unreleased\n`)
  t.match(await refusal(), /no release: the working tree is not clean/)
  await commit('Not yet')
  t.match(await refusal(), /no release: CHANGELOG\.md has no section/)
  await writeFile(join(clone, 'CHANGELOG.md'), `# Changelog\n\n## [${version}] - 2026-01-01\n`)
  await commit('Date')
  t.match(await refusal(), /no release: commit a file allowed_signers/)
  await writeFile(join(clone, 'allowed_signers'), `local-send-releases namespaces="file,git" ${await readFile(`${key}.pub`, 'utf8')}`)
  await here('git', 'add', 'allowed_signers')
  await commit('Signers')
  t.match(await refusal(join(home, 'other')), /no release: allowed_signers does not name this key/)

  t.comment('a release')
  const printed = await release()
  t.match(printed, /NOT CHECKED: this is no release\./)
  t.match(printed, new RegExp(`v${version.replaceAll('.', '\\.')} is tagged`))
  const folder = join(clone, 'release')
  const names = ['SHA256SUMS', 'SHA256SUMS.sig', 'allowed_signers', 'build.json', `local-send-${version}.cdx.json`, `local-send-${version}.tgz`]
  t.same((await readdir(folder)).sort(), names)
  t.equal(await here('git', 'status', '--porcelain'), '', 'nothing of it is left lying in the tree')
  const files = (await here('tar', '-tzf', join(folder, `local-send-${version}.tgz`))).split('\n')
  t.ok(files.includes('package/npm-shrinkwrap.json'), 'the lock file goes along')
  const built = JSON.parse(await readFile(join(folder, 'build.json'), 'utf8')) as { readonly commit: string, readonly checked: boolean }
  t.same([built.commit, built.checked], [(await here('git', 'rev-parse', 'HEAD')).trim(), false])
  t.match(await refusal(), /there is a tag v/)

  t.comment('installed, as documented')
  await cp(folder, join(home, 'downloaded'), { recursive: true })
  const { stdout } = await run('sh', ['-c', await documented('docs/operations.md', '**From a release**')], { cwd: join(home, 'downloaded'), env: environment })
  t.equal(stdout.trim().split('\n').at(-1), version)
  const lock = JSON.parse(await readFile(projectPath('package-lock.json'), 'utf8')) as { readonly packages: Readonly<Record<string, { readonly dev?: boolean, readonly version?: string }>> }
  for (const [path, { dev, version: locked }] of Object.entries(lock.packages)) {
    const installed = await readFile(join(home, 'downloaded', 'local-send', path, 'package.json'), 'utf8').catch(() => '{}')
    t.equal((JSON.parse(installed) as { readonly version?: string }).version, dev === true ? undefined : locked, path)
  }

  t.comment('verified, as documented')
  const verify = await documented('SECURITY.md', '## Verifying a release')
  const verified = async (): Promise<string> => (await run('sh', ['-c', verify], { cwd: folder })).stdout
  t.match(await verified(), /Good "file" signature for local-send-releases[\s\S]*\.tgz: OK/)
  t.match((await run('git', ['-c', 'gpg.ssh.allowedSignersFile=allowed_signers', 'verify-tag', `v${version}`], { cwd: clone, env: environment })).stderr, /Good "git" signature/)
  for (const name of names.filter((name) => name !== 'allowed_signers')) {
    const right = await readFile(join(folder, name))
    await writeFile(join(folder, name), right.map((byte, index) => index === right.length >> 1 ? byte ^ 1 : byte))
    await t.rejects(verified(), `${name} was changed`)
    await writeFile(join(folder, name), right)
  }
  await rm(join(folder, 'SHA256SUMS.sig'))
  await run('ssh-keygen', ['-q', '-Y', 'sign', '-f', join(home, 'other'), '-n', 'file', join(folder, 'SHA256SUMS')])
  await t.rejects(verified(), 'signed by somebody else')

  t.comment('reproduced, as documented')
  const reproduce = await documented('SECURITY.md', '## Reproducing a release')
  const sums = await readFile(join(folder, 'SHA256SUMS'), 'utf8')
  t.ok(sums.includes((await here('sh', '-c', reproduce)).trim().split('\n').at(-1) ?? 'nothing'), 'the same digest again')
})
