import neostandard, { plugins } from 'neostandard'

const tseslint = plugins['typescript-eslint']

/** Forbids a set of imports in the files below some folders: which way the house leans (docs/architecture.md). */
const leaning = (files, patterns, ignores = []) => ({
  files,
  ignores,
  rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] }
})

const only = (module, place) => ({ regex: `^${module}$`, message: `Only ${place} imports ${module}.` })
const elliptic = only('elliptic', 'lib/crypto/p256.ts')
const s3 = { regex: '^@aws-sdk/', message: 'Only lib/files/s3-bucket.ts imports the S3 client.' }
const nodeCrypto = { regex: '^(node:)?crypto$', message: 'Cryptography is WebCrypto; only lib/files/checksum.ts uses node:crypto.' }
const noServer = { group: ['**/server.js'], message: 'Only cli/commands/serve.ts imports server.ts.' }
const noHttp = { group: ['fastify', 'fastify-*', '@fastify/*', '**/routes/**', '**/plugins/**', '**/app.js'], message: 'lib knows no HTTP: it imports neither Fastify, a plugin nor a route.' }
const noStores = { group: ['**/*-store.js'], message: 'Routes call services, never a store.' }
const noNode = { group: ['node:*'], message: 'lib/crypto and client run in browsers too: Web APIs only.' }
const onlyCrypto = { regex: '/lib/(?!crypto/|files/names\\.js$|(?:errors|ids|new-ids)\\.js$)', message: 'The client library imports lib/crypto, what makes names safe, errors and ids, nothing else of lib.' }
const thin = { regex: '/lib/(?!crypto/|files/(?:names|checksum|discard|gathered)\\.js$|(?:errors|ids|version)\\.js$)', message: 'The command line stands on client/; of lib it imports lib/crypto, what makes names safe, digests files, frees chunks and gathers pieces, errors, ids and the version.' }
const onlyClient = { regex: '/lib/(?!crypto/|files/names\\.js$|(?:errors|ids)\\.js$)|/cli/', message: 'The web page stands on client/; of lib it imports lib/crypto, what makes names safe, errors and ids.' }
const nothingAbove = { group: ['../sessions/**', '../files/**', '../config.js'], message: 'lib/crypto imports only lib/errors.ts and lib/ids.ts of what lies outside it.' }

export default [
  ...neostandard({ ts: true, ignores: ['build/**', 'dist/**', 'coverage/**', '.tap/**', 'node_modules/**', 'bench/node_modules/**', 'examples/**/vendor/**'] }),
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ['**/*.ts', '**/*.tsx'] })),
  {
    files: ['**/*.ts', '**/*.tsx'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Fastify's reply is a thenable that nobody should wait for.
      'no-void': ['error', { allowAsStatement: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }]
    }
  },
  leaning(['**/*.ts'], [elliptic, s3, nodeCrypto, noServer], ['test/**', 'bench/**']),
  leaning(['lib/**/*.ts'], [elliptic, s3, nodeCrypto, noServer, noHttp]),
  leaning(['lib/files/s3-bucket.ts'], [elliptic, nodeCrypto, noServer, noHttp]),
  leaning(['lib/files/checksum.ts'], [elliptic, s3, noServer, noHttp]),
  leaning(['lib/crypto/**/*.ts'], [elliptic, nodeCrypto, noServer, noHttp, noNode, nothingAbove]),
  leaning(['lib/crypto/p256.ts'], [nodeCrypto, noServer, noHttp, noNode, nothingAbove]),
  leaning(['routes/**/*.ts'], [elliptic, s3, nodeCrypto, noServer, noStores]),
  leaning(['client/**/*.ts'], [elliptic, nodeCrypto, noServer, noHttp, noNode, onlyCrypto]),
  leaning(['cli/**/*.ts'], [elliptic, nodeCrypto, noServer, noHttp, thin], ['cli/commands/serve.ts']),
  leaning(['web/**/*.{ts,tsx}'], [elliptic, nodeCrypto, noServer, noHttp, noNode, onlyClient]),
  {
    files: ['web/**/*.tsx', 'web/strings/en.ts'],
    rules: {
      // A component returns JSX, and a function of the catalogue a text.
      '@typescript-eslint/explicit-module-boundary-types': 'off'
    }
  },
  {
    // tap's t.test returns a promise that the runner itself awaits.
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafePromises: [{ from: 'package', name: 'PromiseWithSubtest', package: '@tapjs/core' }] }] }
  }
]
