import { readFile } from 'node:fs/promises'
import t from 'tap'
import { readConfig } from '../../lib/config.js'
import { shipped } from '../helpers/nginx.js'
import { projectPath } from '../helpers/project.js'

/** The action that each call of the API needs: Service Authorization Reference, "Actions defined by Amazon S3". */
const ACTIONS: Readonly<Record<string, string>> = {
  HeadBucket: 's3:ListBucket',
  ListObjectsV2: 's3:ListBucket',
  ListMultipartUploads: 's3:ListBucketMultipartUploads',
  GetObject: 's3:GetObject',
  HeadObject: 's3:GetObject',
  PutObject: 's3:PutObject',
  CreateMultipartUpload: 's3:PutObject',
  UploadPart: 's3:PutObject',
  CompleteMultipartUpload: 's3:PutObject',
  DeleteObject: 's3:DeleteObject',
  AbortMultipartUpload: 's3:AbortMultipartUpload'
}

interface Policy {
  readonly Statement: ReadonlyArray<{ readonly Effect: string, readonly Action: readonly string[], readonly Resource: string }>
}

interface Lifecycle {
  readonly Rules: ReadonlyArray<{ readonly Status: string, readonly Filter: { readonly Prefix: string }, readonly Expiration?: { readonly Days: number }, readonly AbortIncompleteMultipartUpload?: { readonly DaysAfterInitiation: number } }>
}

t.test('the policy allows what the store calls, and nothing else', async (t) => {
  const code = await readFile(projectPath('lib/files/s3-bucket.ts'), 'utf8')
  const calls = new Set([...code.matchAll(/new this\.#sdk\.(\w+)Command\(/g)].map(([, name = '']) => name))
  t.ok(calls.size > 8, [...calls].join())
  const needed = new Set([...calls].map((name) => ACTIONS[name] ?? `unknown: ${name}`))
  const { Statement: statements } = JSON.parse(await shipped('s3/policy.json')) as Policy
  t.same([...new Set(statements.flatMap(({ Action }) => Action))].sort(), [...needed].sort())
  for (const { Effect, Resource } of statements) {
    t.equal(Effect, 'Allow')
    t.match(Resource, /^arn:aws:s3:::local-send(?:\/transfers\/\*)?$/, 'one bucket, and one prefix in it')
  }
})

t.test('the rules of expiry come after what the server does itself', async (t) => {
  const { Rules: rules } = JSON.parse(await shipped('s3/lifecycle.json')) as Lifecycle
  const oldest = readConfig({}).MAX_SESSION_AGE / 86_400
  for (const { Status, Filter } of rules) t.same([Status, Filter.Prefix], ['Enabled', 'transfers/'])
  const days = rules.flatMap(({ Expiration }) => Expiration?.Days ?? [])
  t.ok(days.length === 1 && days.every((count) => count > oldest + 1), 'no file goes before its session')
  t.same(rules.flatMap(({ AbortIncompleteMultipartUpload: abort }) => abort?.DaysAfterInitiation ?? []), [1])
})
