import { join } from 'node:path'
import { packageFolder } from '../../lib/version.js'

/** The path of something in the project's folder, from wherever a test runs: tests are compiled into another one. */
export const projectPath = (...components: readonly string[]): string => join(packageFolder, ...components)
