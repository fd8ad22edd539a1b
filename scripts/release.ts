/**
 * `npm run release -- --key ~/.ssh/id_ed25519`: checks, builds twice, and writes a signed release into release/ and a signed tag
 * into this clone. It pushes nothing. CONTRIBUTING.md tells what goes before and after.
 *
 * `--without-checks` leaves out the linter, the types, the tests and the advisories, to try the rest; what it writes is no release.
 */

import { execFileSync, type ExecFileSyncOptions } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Checksum } from '../lib/files/checksum.js'
import { packageFolder, version } from '../lib/version.js'

/** Who signs, in the file of allowed signers. */
const SIGNER = 'local-send-releases'
const SIGNERS = 'allowed_signers'
const CHECKS = [['run', 'lint'], ['run', 'typecheck'], ['run', 'test:all'], ['run', 'soak:short']]
/** What `npm run advisories` ends with where the registry did not answer. */
const NOT_CHECKED = 2

const { values: { key, 'without-checks': unchecked } } = parseArgs({ options: { key: { type: 'string' }, 'without-checks': { type: 'boolean', default: false } } })
const tag = `v${version}`
const target = join(packageFolder, 'release')
const tarball = `local-send-${version}.tgz`
const bill = `local-send-${version}.cdx.json`

try {
  release()
} catch (error) {
  process.stderr.write(`no release: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

function release (): void {
  const commit = git('rev-parse', 'HEAD')
  if (key === undefined) throw new Error('name the private key to sign with: --key ~/.ssh/id_ed25519')
  checkTree()
  signature(key, 'Whether it can sign is better known before everything is built.')
  if (!unchecked) check()
  const first = build(commit, 'first', 'UTC')
  const second = build(commit, 'a second folder', 'Asia/Kathmandu')
  if (digest(join(first, tarball)) !== digest(join(second, tarball))) throw new Error(`two builds differ: compare ${first} and ${second}`)
  write(commit, first)
  rmSync(join(first, '..'), { recursive: true })
  rmSync(join(second, '..'), { recursive: true })
  writeFileSync(join(target, 'SHA256SUMS.sig'), signature(key, readFileSync(join(target, 'SHA256SUMS'), 'utf8')))
  git('-c', 'gpg.format=ssh', '-c', `user.signingKey=${key}`, 'tag', '--sign', `--message=Local Send ${version}`, tag, commit)
  say(unchecked ? 'NOT CHECKED: this is no release.' : 'All checks have passed.')
  say(`release/ is written and ${tag} is tagged, both signed. Nothing was pushed. Next: git push origin ${tag}, and publish what is in release/.`)
}

/** Whether what is committed is a version that can be released. */
function checkTree (): void {
  if (git('status', '--porcelain') !== '') throw new Error('the working tree is not clean')
  if (!new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\] - \\d{4}-\\d{2}-\\d{2}$`, 'm').test(readFileSync(join(packageFolder, 'CHANGELOG.md'), 'utf8'))) {
    throw new Error(`CHANGELOG.md has no section "## [${version}] - YYYY-MM-DD"`)
  }
  if (git('tag', '--list', tag) !== '') throw new Error(`there is a tag ${tag} already`)
  if (!existsSync(join(packageFolder, SIGNERS))) throw new Error(`commit a file ${SIGNERS} with a line "${SIGNER} namespaces="file,git" <public key>"`)
}

function check (): void {
  for (const args of CHECKS) run('npm', args, { env: { ...process.env, CI: 'true' }, stdio: 'inherit' })
  try {
    run('npm', ['run', '--silent', 'advisories'], { stdio: 'inherit' })
  } catch (error) {
    if (!(error instanceof Error && 'status' in error && error.status === NOT_CHECKED)) throw new Error('there are advisories', { cause: error })
    say('ADVISORIES WERE NOT CHECKED: ask a registry that answers before you publish.')
  }
}

/** Builds a commit in a new folder. @returns the folder */
function build (commit: string, name: string, zone: string): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'local-send-release-')), name)
  mkdirSync(folder)
  run('tar', ['-x'], { cwd: folder, input: execFileSync('git', ['archive', commit], { cwd: packageFolder, maxBuffer: 2 ** 30 }) })
  const options = { cwd: folder, env: { ...process.env, SOURCE_DATE_EPOCH: moment(commit), TZ: zone } }
  run('npm', ['ci', '--prefer-offline', '--loglevel=error'], options)
  run('npm', ['run', '--silent', 'package'], options)
  writeFileSync(join(folder, bill), run('npm', ['run', '--silent', 'sbom'], options))
  return folder
}

/** Puts into release/ what was built, what it was built with, and the digests of all that. */
function write (commit: string, built: string): void {
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target)
  for (const name of [tarball, bill]) copyFileSync(join(built, name), join(target, name))
  const builtWith = { version, commit, sourceDateEpoch: Number(moment(commit)), node: process.version, npm: run('npm', ['--version']).trim(), checked: !unchecked }
  writeFileSync(join(target, 'build.json'), `${JSON.stringify(builtWith, null, 2)}\n`)
  const lines = ['build.json', bill, tarball].map((name) => `${digest(join(target, name))}  ${name}\n`)
  writeFileSync(join(target, 'SHA256SUMS'), lines.join(''))
  copyFileSync(join(packageFolder, SIGNERS), join(target, SIGNERS))
}

/** Signs a text, and verifies as SECURITY.md tells everybody to: a key that nobody was told of signs nothing. */
function signature (privateKey: string, text: string): string {
  const signed = run('ssh-keygen', ['-q', '-Y', 'sign', '-f', privateKey, '-n', 'file'], { input: text, stdio: ['pipe', 'pipe', 'inherit'] })
  const scratch = mkdtempSync(join(tmpdir(), 'local-send-signature-'))
  try {
    writeFileSync(join(scratch, 'signature'), signed)
    run('ssh-keygen', ['-q', '-Y', 'verify', '-f', SIGNERS, '-I', SIGNER, '-n', 'file', '-s', join(scratch, 'signature')], { input: text, stdio: 'pipe' })
  } catch (error) {
    throw new Error(`${SIGNERS} does not name this key for ${SIGNER}`, { cause: error })
  } finally {
    rmSync(scratch, { recursive: true })
  }
  return signed
}

/** Seconds since 1970 of the commit: the time that everything claims to be made at. */
function moment (commit: string): string {
  return git('log', '-1', '--format=%ct', commit)
}

function digest (path: string): string {
  const checksum = new Checksum()
  checksum.update(readFileSync(path))
  return checksum.digest()
}

function git (...args: readonly string[]): string {
  return run('git', args).trim()
}

/** Runs a program to its end. @returns what it wrote, unless that was shown */
function run (program: string, args: readonly string[], options: ExecFileSyncOptions = {}): string {
  const printed: unknown = execFileSync(program, args, { cwd: packageFolder, maxBuffer: 2 ** 28, ...options })
  return printed instanceof Uint8Array ? new TextDecoder().decode(printed) : ''
}

function say (line: string): void {
  process.stdout.write(`${line}\n`)
}
