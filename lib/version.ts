import { createRequire } from 'node:module'
import { dirname } from 'node:path'

const require = createRequire(import.meta.url)

/** The version in package.json. */
export const { version } = require('local-send/package.json') as { readonly version: string }

/** The folder that package.json lies in, whether this runs from the sources or built. */
export const packageFolder = dirname(require.resolve('local-send/package.json'))
