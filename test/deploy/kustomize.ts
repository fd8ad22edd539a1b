/** As much of `kubectl kustomize` as deploy/ uses: resources, other kustomizations among them, and patches by RFC 6902. */

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { applyPatch, type Operation } from 'rfc6902'
import { parse, parseAllDocuments } from 'yaml'
import { shipped } from '../helpers/nginx.js'
import { projectPath } from '../helpers/project.js'

export interface Resource {
  readonly kind: string
  readonly metadata: { readonly name: string }
}

interface Kustomization {
  readonly resources: readonly string[]
  readonly patches?: ReadonlyArray<{ readonly path: string, readonly target: { readonly kind: string, readonly name: string } }>
}

/**
 * The resources of a kustomization, as they would be applied.
 * @param folder - within deploy/
 * @throws Error where it has a field that is not known here, or a patch does not apply
 */
export async function kustomize (folder: string): Promise<Resource[]> {
  const { resources, patches = [], apiVersion: _version, kind: _kind, ...unknown } = parse(await shipped(join(folder, 'kustomization.yaml'))) as Kustomization & Record<string, unknown>
  if (Object.keys(unknown).length > 0) throw new Error(`${folder} has ${Object.keys(unknown).join()}`)
  const rendered = (await Promise.all(resources.map(async (name) => await resourcesIn(join(folder, name))))).flat()
  for (const { path, target } of patches) {
    const meant = rendered.filter(({ kind, metadata }) => kind === target.kind && metadata.name === target.name)
    if (meant.length !== 1) throw new Error(`${path} is meant for ${meant.length} resources`)
    const failures = applyPatch(meant[0], parse(await shipped(join(folder, path))) as Operation[]).filter((error) => error !== null)
    if (failures.length > 0) throw new Error(`${path} does not apply: ${failures.join()}`)
  }
  return rendered
}

async function resourcesIn (path: string): Promise<Resource[]> {
  if ((await stat(projectPath('deploy', path))).isDirectory()) return await kustomize(path)
  return parseAllDocuments(await shipped(path)).map((document) => document.toJS() as Resource)
}
