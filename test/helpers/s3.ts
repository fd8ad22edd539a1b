import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { CreateBucketCommand, ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import type { S3StoreOptions } from '../../lib/files/s3-store.js'
import { projectPath } from './project.js'
import { temporaryFolder } from './server.js'

const run = promisify(execFile)
const START = projectPath('test/s3-server/start-s3')

const BUCKET = 'local-send-test'
export const REGION = 'us-east-1'
export const PREFIX = 'transfers/'
/** Bytes of the smallest part that the API has. */
export const PART = 5 * 2 ** 20

const KEYS = { AWS_ACCESS_KEY_ID: 'test:tester', AWS_SECRET_ACCESS_KEY: 'testing' }

export interface S3Server {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string
  /** Settings of a server that keeps its files there. */
  readonly environment: Record<string, string>
  /** Names of the objects of containers, without the prefix. */
  readonly objects: () => Promise<string[]>
  /** Names of what is being uploaded in parts. */
  readonly uploads: () => Promise<string[]>
  readonly stop: () => Promise<void>
  readonly restart: () => Promise<void>
}

/**
 * A real S3 server with an empty bucket; it ends with the test. Its keys are put into the environment, where the SDK looks.
 * @param page - names in one page of a listing, at most
 */
export async function startS3 (t: Test, { page }: { readonly page?: number } = {}): Promise<S3Server> {
  const folder = await temporaryFolder(t)
  const env = { ...process.env, ...(page !== undefined && { S3_PAGE: String(page) }) }
  const port = await start(folder, env)
  const stop = async (): Promise<void> => { await run(START, ['--stop', folder]) }
  t.teardown(stop)
  Object.assign(process.env, KEYS)
  const endpoint = `http://127.0.0.1:${port}`
  const client = new S3Client({ endpoint, region: REGION, forcePathStyle: true })
  t.teardown(() => { client.destroy() })
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const listing = { Bucket: BUCKET, Prefix: PREFIX }
  return {
    endpoint,
    environment: environmentFor(endpoint),
    objects: async () => ((await client.send(new ListObjectsV2Command(listing))).Contents ?? []).map(({ Key = '' }) => Key.slice(PREFIX.length)).filter((name) => name.endsWith('.lsf')),
    uploads: async () => ((await client.send(new ListMultipartUploadsCommand(listing))).Uploads ?? []).map(({ Key = '' }) => Key),
    stop,
    restart: async () => { await run(START, [folder, String(port)], { env }) }
  }
}

/** Settings of a server that keeps its files behind this address. */
export const environmentFor = (endpoint: string): Record<string, string> => ({
  ...KEYS,
  BLOB_STORE: 's3',
  S3_BUCKET: BUCKET,
  S3_ENDPOINT: endpoint,
  S3_REGION: REGION,
  S3_FORCE_PATH_STYLE: 'true',
  S3_PREFIX: PREFIX,
  S3_PART_SIZE: String(PART)
})

export const storeOptions = (endpoint: string): S3StoreOptions => ({
  bucket: BUCKET,
  endpoint,
  region: REGION,
  forcePathStyle: true,
  prefix: PREFIX,
  checksums: 'crc32',
  partSize: PART,
  memory: 8 * PART,
  onFailure: () => {}
})

/** Waits until nothing is stored and nothing is being uploaded in parts; what an abort removes is listed a while longer. */
export async function emptied (t: Test, { objects, uploads }: S3Server): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if ((await objects()).length + (await uploads()).length === 0) return
    await delay(100)
  }
  t.same([await objects(), await uploads()], [[], []], 'nothing is left')
}

/** The server takes four ports in a row. */
async function start (folder: string, env: NodeJS.ProcessEnv): Promise<number> {
  for (let tries = 0; ; tries++) {
    const port = 20_000 + 4 * Math.floor(Math.random() * 3000)
    try {
      await run(START, [folder, String(port)], { env })
      return port
    } catch (error) {
      if (tries === 5 || !String(error).includes('is taken')) throw error
    }
  }
}
