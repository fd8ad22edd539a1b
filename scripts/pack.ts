/**
 * `npm run package`: builds and writes local-send-VERSION.tgz, which is the same wherever the same commit is built by the same
 * versions of Node.js and npm. It holds the lock file, under the name that npm lets into a package: whoever unpacks it and runs
 * `npm ci` gets what was tested.
 */

import { execFileSync } from 'node:child_process'
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { packageFolder } from '../lib/version.js'

const run = (...args: readonly string[]): void => { execFileSync('npm', args, { cwd: packageFolder, stdio: ['ignore', 'inherit', 'inherit'] }) }
const lock = join(packageFolder, 'npm-shrinkwrap.json')

run('run', '--silent', 'build')
// Here it must not stay: npm would prefer it to package-lock.json.
copyFileSync(join(packageFolder, 'package-lock.json'), lock)
try {
  run('pack', '--silent')
} finally {
  rmSync(lock)
}
