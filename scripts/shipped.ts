/** Which packages of the lock file ship. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packageFolder } from '../lib/version.js'

/** Only development installs them, and Vite builds them into the page (docs/dependencies.md). */
export const BUILT_IN: ReadonlySet<string> = new Set(['preact', '@preact/signals', '@preact/signals-core', 'client-zip', 'idb'])

/** Folders of the packages that are installed with the server or built into the page: `node_modules/…` */
export async function shippedFolders (): Promise<Set<string>> {
  const { packages } = JSON.parse(await readFile(join(packageFolder, 'package-lock.json'), 'utf8')) as { readonly packages: Readonly<Record<string, { readonly dev?: boolean }>> }
  const shipped = Object.entries(packages).filter(([folder, { dev }]) => folder !== '' && (dev !== true || BUILT_IN.has(folder.replace('node_modules/', ''))))
  return new Set(shipped.map(([folder]) => folder))
}
