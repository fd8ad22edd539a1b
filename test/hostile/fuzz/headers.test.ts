import fc from 'fast-check'
import t from 'tap'
import { base64 } from '../../../client/headers.js'
import { LocalSendError } from '../../../lib/errors.js'
import { parseFileLimit } from '../../../lib/files/file-limits.js'
import { requestedRange } from '../../../lib/files/ranges.js'
import { checksumOf, describedBy } from '../../../routes/tus-headers.js'
import { bytes, mutatedText, text } from './inputs.js'
import { holds, must, read } from './holds.js'

const isInvalid = (error: unknown): boolean => error instanceof LocalSendError && ['INVALID_REQUEST', 'CHECKSUM_INVALID'].includes(error.code)

/** A range as RFC 9110, section 14.1.2 writes it, and as it must be read: an oracle of its own, on whole numbers of any size. */
function readRange (header: string, size: bigint): { start: bigint, end: bigint } | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=[\t ]*(\d*)-(\d*)[\t ]*$/.exec(header) ?? []
  if (first === '' && last === '') return undefined
  if (first === '') return last === '0'.repeat(last.length) || size === 0n ? 'unsatisfiable' : { start: BigInt(last) > size ? 0n : size - BigInt(last), end: size }
  if (last !== '' && BigInt(last) < BigInt(first)) return undefined
  if (BigInt(first) >= size) return 'unsatisfiable'
  return { start: BigInt(first), end: last === '' || BigInt(last) >= size ? size : BigInt(last) + 1n }
}

t.test('Range', async (t) => {
  const digits = fc.oneof(fc.nat(3).map(String), fc.nat(30).map(String), fc.constant(''), fc.stringMatching(/^[0-9]{1,30}$/))
  const right = fc.tuple(digits, digits).map(([first, last]) => `bytes=${first}-${last}`)
  const fileSizes = fc.oneof(fc.nat(3), fc.nat(30), fc.nat(), fc.constant(2 ** 40))
  await holds(t, 'of one range is read as the specification says', fc.property(right, fileSizes, (header, size) => {
    const [expected, range] = [readRange(header, BigInt(size)), requestedRange(size, '"x"', header, undefined)]
    // A malformed one may be ignored, or refused where it is out of order; one of an empty file may be passed over.
    if (expected === undefined || (size === 0 && expected === 'unsatisfiable')) must(range === 'whole' || range === 'unsatisfiable', 'a range of nothing')
    else if (expected === 'unsatisfiable') must(range === 'unsatisfiable', 'a range that is none')
    else must(typeof range === 'object' && BigInt(range.start) === expected.start && BigInt(range.end) === expected.end, `another range: ${JSON.stringify(range)}`)
  }), 1)
  await holds(t, 'of any form lies within the file', fc.property(fc.oneof(text(), text().map((rest) => `bytes=${rest}`), mutatedText(right)), fileSizes, fc.constantFrom(undefined, '"x"', '"y"'), (header, size, ifRange) => {
    const range = requestedRange(size, '"x"', header, ifRange)
    must(typeof range === 'string' || (Number.isSafeInteger(range.start) && Number.isSafeInteger(range.end) && range.start >= 0 && range.start <= range.end && range.end <= size), `beyond the file: ${JSON.stringify(range)}`)
    must(ifRange !== '"y"' || range === 'whole', 'a range of another file')
  }))
  const many = `bytes=${'0-1,'.repeat(4000)}`
  t.equal(requestedRange(10, '"x"', `${many}2-3`, undefined), 'unsatisfiable')
  t.equal(requestedRange(10, '"x"', many, undefined), 'whole')
  t.equal(requestedRange(10, '"x"', `bytes=${' '.repeat(1e6)}-`, undefined), 'whole')
})

t.test('Upload-Metadata', async (t) => {
  const wellFormed = text().map((value) => value.toWellFormed())
  await holds(t, 'comes back', fc.property(wellFormed, wellFormed, (filename, filetype) => {
    const header = `filename ${base64(filename)},filetype ${base64(filetype)}`
    const described = describedBy(header)
    must(described.filename === filename && described.declaredType === filetype && described.uploadMetadata === header, 'another text')
  }))
  const right = fc.tuple(wellFormed, fc.constantFrom('sha256', 'max_downloads', '__proto__', 'file_id', 'metadata', 'expires_in'), wellFormed).map(([filename, key, value]) => `filename ${base64(filename)}, ${key} ${base64(value)}, relative`)
  await holds(t, 'is read, or refused', fc.asyncProperty(fc.oneof(text(), mutatedText(right), right, bytes({ maxLength: 20 }).map((name) => `filename ${Buffer.from(name).toString('base64')}`)), async (header) => {
    const described = await read(() => describedBy(header), isInvalid)
    if (described === undefined) return
    const { expectedSha256, limits: { maxDownloads = 1, expiresIn = 1 }, filename = '' } = described
    must(expectedSha256 === undefined || /^[0-9a-f]{64}$/.test(expectedSha256), 'no digest')
    must(Number.isSafeInteger(maxDownloads) && maxDownloads >= 1 && Number.isSafeInteger(expiresIn) && expiresIn >= 1 && filename.isWellFormed(), 'no limit, or no text')
  }))
})

t.test('Upload-Checksum', async (t) => {
  for (const [algorithm, length] of [['sha256', 32], ['sha1', 20]] as const) {
    const digests = bytes({ minLength: length, maxLength: length }).map((digest) => Buffer.from(digest))
    await holds(t, `${algorithm}: comes back`, fc.property(digests, (digest) => {
      const checksum = checksumOf(`${algorithm} ${digest.toString('base64')}`)
      must(checksum?.algorithm === algorithm && checksum.digest === digest.toString('hex'), 'another digest')
    }))
    await holds(t, `${algorithm}: is one, or refused`, fc.asyncProperty(fc.oneof(text(), bytes({ maxLength: 40 }).map((digest) => `${algorithm} ${Buffer.from(digest).toString('base64')}`), mutatedText(digests.map((digest) => `${algorithm} ${digest.toString('base64')}`))), async (header) => {
      const checksum = await read(() => checksumOf(header), isInvalid)
      must(checksum === undefined || checksum.digest.length === { sha256: 64, sha1: 40 }[checksum.algorithm], 'a digest of another length')
    }))
  }
})

t.test('limits of a file', async (t) => {
  await holds(t, 'come back, or are refused', fc.asyncProperty(fc.oneof(text(12), fc.integer().map(String), fc.constantFrom('0', '1e3', '0x1', ' 1', '1 ', '01', '999999999', '1000000000')), async (value) => {
    const limit = await read(() => parseFileLimit('max_downloads', value), isInvalid)
    must(limit === undefined ? !/^[1-9]\d{0,8}$/.test(value) : String(limit) === value, 'another number')
  }))
})
