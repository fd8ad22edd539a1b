/** `npm run advisories`: asks the registry what is known against the packages that ship, and ends with what advisories.ts says. */

import { execFile } from 'node:child_process'
import { packageFolder } from '../lib/version.js'
import { judge } from './advisories.js'
import { shippedFolders } from './shipped.js'

const shipped = await shippedFolders()

// npm ends with 1 where it knows something and where it could not ask; which of both, only its answer tells.
execFile('npm', ['audit', '--json'], { cwd: packageFolder, maxBuffer: 64 * 2 ** 20 }, (_error, stdout) => {
  const { lines, code } = judge(stdout, (folder) => shipped.has(folder))
  process.stdout.write(`${lines.join('\n')}\n`)
  process.exitCode = code
})
