/**
 * The sources of the client without one of its checks, so that the attack which it stops is seen to succeed. Each check is taken out
 * by an edit of one line; where several stand in the way of one attack, it succeeds without all of them, and each alone stops it.
 */

import { cp, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { Test } from 'tap'
import { PASSWORD } from '../helpers/client.js'
import { applyEdits, type Edit } from '../helpers/edits.js'
import { projectPath } from '../helpers/project.js'
import { temporaryFolder } from '../helpers/server.js'
import type { AttackName } from './attacks.js'
import type { Scene, SceneOptions } from './scene.js'

const CTR = "{ name: 'AES-CTR', counter: Uint8Array.of(...iv, 0, 0, 0, 2), length: 32 }"
const DECRYPTS = { file: 'lib/crypto/container-header.ts', find: "importKey('raw', keys.subarray(0, 32), 'AES-GCM', false, usages)", replace: "importKey('raw', keys.subarray(0, 32), usages.includes('encrypt') ? 'AES-GCM' : 'AES-CTR', false, usages)" }

/** What stands in the way of attacks. */
const CHECKS = {
  'the joiner\'s confirmation': [{ file: 'client/host.ts', find: 'if (!await confirmationMatches(handshake.expectedConfirmation, confirmation)) {', replace: 'if (String(confirmation) === \'\') {' }],
  'the creator\'s confirmation': [{ file: 'client/join.ts', find: 'if (!await confirmationMatches(handshake.expectedConfirmation, accepted.confirmation)) throw new ClientError(\'WRONG_PASSWORD\')', replace: '' }],
  'the kind that is created': [{ file: 'client/session.ts', find: 'if (created.kind !== kind) throw new ClientError(\'UNEXPECTED_KIND\')', replace: 'Object.assign(created, { kind })' }],
  'the kind that is joined': [{ file: 'client/join.ts', find: 'if (pending.kind !== kind) throw new ClientError(\'UNEXPECTED_KIND\')', replace: '' }],
  'a share is on the curve': [{ file: 'lib/crypto/p256.ts', find: 'if (!point.validate()) throw new LocalSendError(\'SHARE_REFUSED\')', replace: '' }],
  'a share is not our own': [{ file: 'lib/crypto/spake2.ts', find: 'if (equalBytes(peer, own.share)) throw new LocalSendError(\'SHARE_REFUSED\')', replace: '' }],
  'the seal of the content key': [
    { file: 'lib/crypto/keys.ts', find: 'crypto.subtle.decrypt(wrapping(bytes.slice(0, NONCE_SIZE), sid), key, bytes.subarray(NONCE_SIZE))', replace: 'crypto.subtle.decrypt({ name: \'AES-CTR\', counter: concat(bytes.slice(0, NONCE_SIZE), Uint8Array.of(0, 0, 0, 2)), length: 32 }, key, bytes.subarray(NONCE_SIZE, -16))' },
    { file: 'lib/crypto/keys.ts', find: '32), \'AES-GCM\', false, [usage])', replace: '32), usage === \'encrypt\' ? \'AES-GCM\' : \'AES-CTR\', false, [usage])' }
  ],
  'five failures at the creator': [{ file: 'client/host.ts', find: 'export const MAX_FAILURES = 5', replace: 'export const MAX_FAILURES = 500' }],
  'five guesses at the joiner': [{ file: 'client/join.ts', find: 'export const MAX_GUESSES = 5', replace: 'export const MAX_GUESSES = 500' }],
  'the header is of this file': [{ file: 'lib/crypto/container-header.ts', find: 'if (!equalBytes(H0, header.subarray(0, H0_SIZE))) throw new LocalSendError(format.damaged)', replace: '' }],
  'the commitment': [{ file: 'lib/crypto/container-header.ts', find: 'if (!equalThroughout(commitment, derived.commitment)) throw new LocalSendError(format.damaged, { detail: \'It was sealed under another key.\' })', replace: '' }],
  'the last chunk is the last': [{ file: 'lib/crypto/container-header.ts', find: 'Uint8Array.of(last ? 1 : 0)', replace: 'Uint8Array.of(last ? 0 : 0)' }],
  'a chunk is in its place': [{ file: 'lib/crypto/container-header.ts', find: 'concat(prefix, u32(index),', replace: 'concat(prefix, u32(index * 0),' }],
  'the seal of a chunk': [
    DECRYPTS,
    { file: 'lib/crypto/container-chunks.ts', find: 'return new Uint8Array(await crypto.subtle.decrypt(chunkParameters(this.#unlocked, index, last), this.#unlocked.key, ciphertext))', replace: `const { iv } = chunkParameters(this.#unlocked, index, last); return new Uint8Array(await crypto.subtle.decrypt(${CTR}, this.#unlocked.key, ciphertext.subarray(0, -16)))` },
    { file: 'lib/crypto/metadata.ts', find: 'const plaintext = await crypto.subtle.decrypt(chunkParameters(unlocked, 0, true), unlocked.key, concat(sealed.subarray(HEADER_SIZE)))', replace: 'const plaintext = await crypto.subtle.decrypt({ name: \'AES-CTR\', counter: concat(chunkParameters(unlocked, 0, true).iv, Uint8Array.of(0, 0, 0, 2)), length: 32 }, unlocked.key, concat(sealed.subarray(HEADER_SIZE, -16)))' }
  ],
  'nobody is offered his own': [{ file: 'client/offers.ts', find: 'if (own.has(file.fileId)) return', replace: 'if (own.size < 0) return' }],
  'the letter of the writer': [{ file: 'lib/crypto/container-header.ts', find: 'known.charCodeAt(0) === letter && writers.includes(known))', replace: 'known.charCodeAt(0) === letter && writers !== undefined)' }],
  'the size that is listed': [{ file: 'client/offers.ts', find: 'if (!fits(metadata.size, file))', replace: 'if (!fits(null, file))' }],
  'the size that was received': [{ file: 'client/receive.ts', find: 'if (size !== null && (last ? received !== size : received >= size))', replace: 'if (size === -1)' }]
} as const satisfies Record<string, readonly Edit[]>

export type Check = keyof typeof CHECKS

/** An attack, what stops it, and how it is seen that it succeeds without. */
export interface Mutation {
  readonly attack: AttackName
  readonly checks: readonly Check[]
  readonly options?: Partial<SceneOptions>
  /** Which of the checks stop it alone; all of them by default. */
  readonly alone?: readonly Check[]
  readonly succeeded: (scene: Scene) => boolean
}

const wrongFile = ({ exit, wrong }: Scene): boolean => exit === 0 && wrong.length > 0
const allReceived = ({ exit, whole }: Scene): boolean => exit === 0 && whole.length === 2
const said = (text: string) => ({ proxy }: Scene): boolean => proxy.includes(text)

const SIZES = ['the size that is listed', 'the size that was received'] as const

export const MUTATIONS: readonly Mutation[] = [
  { attack: 'pA-altered', checks: ['the joiner\'s confirmation'], succeeded: said('step accepted') },
  { attack: 'pB-altered', checks: ['the joiner\'s confirmation'], succeeded: said('step accepted') },
  { attack: 'cA-altered', checks: ['the joiner\'s confirmation'], succeeded: allReceived },
  { attack: 'pA-off-curve', checks: ['a share is on the curve'], succeeded: said('step answered') },
  { attack: 'pB-off-curve', checks: ['a share is on the curve'], succeeded: said('step confirmed') },
  { attack: 'pB-reflected', checks: ['a share is not our own'], succeeded: said('step confirmed') },
  { attack: 'cB-altered', checks: ['the creator\'s confirmation'], succeeded: allReceived },
  { attack: 'cB-reflected', checks: ['the creator\'s confirmation'], succeeded: allReceived },
  { attack: 'wrapped-key-altered', checks: ['the seal of the content key'], options: { patience: 20_000 }, succeeded: said('step listed') },
  { attack: 'kind-at-create', checks: ['the kind that is created'], succeeded: allReceived },
  { attack: 'kind-at-join', checks: ['the kind that is joined'], succeeded: allReceived },
  { attack: 'plays-joiner', checks: ['the joiner\'s confirmation'], options: { until: /refused|admitted/ }, succeeded: said('admitted') },
  { attack: 'plays-joiners-without-end', checks: ['five failures at the creator'], options: { guess: PASSWORD, until: /guessed|gave up/ }, succeeded: said('guessed') },
  { attack: 'plays-creator', checks: ['five guesses at the joiner'], options: { receivers: 6 }, succeeded: ({ proxy }) => proxy.split('step confirmed').length - 1 === 6 },
  { attack: 'files-swapped', checks: ['the header is of this file'], succeeded: wrongFile },
  { attack: 'metadata-swapped', checks: ['the header is of this file'], succeeded: wrongFile },
  { attack: 'replayed', checks: ['the header is of this file'], succeeded: wrongFile },
  { attack: 'cut-before-the-last-chunk', checks: ['the last chunk is the last', ...SIZES], succeeded: wrongFile },
  { attack: 'cut-in-a-chunk', checks: ['the seal of a chunk', ...SIZES], succeeded: wrongFile },
  { attack: 'reordered', checks: ['a chunk is in its place'], succeeded: wrongFile },
  { attack: 'chunk-again', checks: ['a chunk is in its place'], succeeded: wrongFile },
  { attack: 'bit-in-a-chunk', checks: ['the seal of a chunk'], succeeded: wrongFile },
  { attack: 'bit-in-the-last-chunk', checks: ['the seal of a chunk'], succeeded: wrongFile },
  { attack: 'bit-in-the-commitment', checks: ['the commitment', 'the seal of a chunk'], succeeded: allReceived },
  { attack: 'bit-in-the-salt', checks: ['the commitment', 'the seal of a chunk'], succeeded: wrongFile },
  { attack: 'bytes-appended', checks: ['the seal of a chunk', ...SIZES], succeeded: wrongFile },
  { attack: 'chunk-appended', checks: ['the seal of a chunk', ...SIZES], succeeded: wrongFile },
  { attack: 'own-file-reflected', checks: ['nobody is offered his own', 'the letter of the writer'], alone: ['the letter of the writer'], options: { inReturn: true }, succeeded: ({ wrong }) => wrong.length > 0 },
  { attack: 'metadata-altered', checks: ['the seal of a chunk'], succeeded: wrongFile }
]

/** A copy of the client's sources without these checks, in one file. @returns its path */
export async function mutated (t: Test, checks: readonly Check[]): Promise<string> {
  const folder = await temporaryFolder(t)
  for (const name of ['lib', 'client', 'cli', 'package.json', 'tsconfig.json']) await cp(projectPath(name), join(folder, name), { recursive: true })
  await symlink(projectPath('node_modules'), join(folder, 'node_modules'))
  await applyEdits(folder, checks.flatMap((check) => CHECKS[check]))
  const program = join(folder, 'local-send.js')
  await build({ entryPoints: [join(folder, 'cli/main.ts')], outfile: program, bundle: true, platform: 'node', format: 'esm', packages: 'external', external: ['*/server.js'] })
  return program
}
