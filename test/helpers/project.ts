import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageFolder } from '../../lib/version.js'

/** The path of something in the project's folder, from wherever a test runs: tests are compiled into another one. */
export const projectPath = (...components: readonly string[]): string => join(packageFolder, ...components)

/** What `npm start` gives Node before the program. */
export function startFlags (): readonly string[] {
  const { scripts: { start } } = JSON.parse(readFileSync(projectPath('package.json'), 'utf8')) as { readonly scripts: { readonly start: string } }
  return start.split(' ').filter((word) => word.startsWith('--'))
}
