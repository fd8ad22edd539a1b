/** All properties of this folder, on inputs that nobody has tried before. */

process.env['FUZZ_RUNS'] ??= '5000'
process.env['FUZZ_SEED'] ??= String(Date.now() % 2 ** 31)

await import('./answers.test.js')
await import('./configuration.test.js')
await import('./containers.test.js')
await import('./encodings.test.js')
await import('./headers.test.js')
await import('./kept.test.js')
await import('./multipart.test.js')
await import('./names.test.js')
await import('./requests.test.js')

export {}
