import t from 'tap'
import { ERRORS, isLocalSendError, LocalSendError, type ErrorCode } from '../../lib/errors.js'

const catalogue = Object.entries(ERRORS) as Array<[ErrorCode, { status: number, message: string }]>

t.test('every code has a name, an error status and one or two full sentences', (t) => {
  for (const [code, { status, message }] of catalogue) {
    t.match(code, /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/)
    t.ok(Number.isInteger(status) && status >= 400 && status < 600, `${code}: ${status}`)
    t.match(message, /^[A-Z][^.\n]*(?:\.\w[^.\n]*)*\.(?: [A-Z][^.\n]*\.)?$/, `${code}: ${message}`)
    t.equal(message, message.trim())
  }
  t.end()
})

t.test('no two codes say the same', (t) => {
  const messages = catalogue.map(([, { message }]) => message)
  t.equal(new Set(messages).size, messages.length)
  t.end()
})

// A client chooses by the status what to do next, so a code never changes it.
t.test('the status of what clients build on', (t) => {
  const statuses: Partial<Record<ErrorCode, number>> = {
    UNAUTHORIZED: 401, JOIN_REFUSED: 401, SHARE_REFUSED: 401, CONFIRMATION_REFUSED: 401, CROSS_ORIGIN: 403, SESSION_NOT_FOUND: 404, SESSION_FULL: 409, ATTEMPT_ENDED: 409, SESSION_LOCKED: 423, ATTEMPTS_PENDING: 429, SERVER_BUSY: 503, STORAGE_FULL: 507
  }
  for (const [code, status] of Object.entries(statuses)) t.equal(ERRORS[code as ErrorCode].status, status, code)
  t.end()
})

t.test('an error carries what its answer needs', (t) => {
  for (const [code, { status, message }] of catalogue) {
    const error = new LocalSendError(code)
    t.ok(error instanceof Error)
    t.match(error, { name: 'LocalSendError', code, statusCode: status, message, retryAfter: undefined })
    t.notOk('cause' in error, `${code}: no cause`)
  }
  t.end()
})

t.test('details: a sentence more, when to come back, and what only the log sees', (t) => {
  const cause = new Error('of the disk')
  const error = new LocalSendError('STORAGE_FULL', { detail: 'The limit is 5 bytes.', retryAfter: 60, cause })
  t.equal(error.message, `${ERRORS.STORAGE_FULL.message} The limit is 5 bytes.`)
  t.equal(error.retryAfter, 60)
  t.equal(error.cause, cause)
  t.notMatch(error.message, /of the disk/)
  t.equal(new LocalSendError('STORAGE_FULL', { retryAfter: 0 }).retryAfter, 0)
  t.end()
})

t.test('an error of the catalogue is told from others, and by its code', (t) => {
  const error: unknown = new LocalSendError('NO_FILE')
  t.equal(isLocalSendError(error), true)
  t.equal(isLocalSendError(error, 'NO_FILE'), true)
  t.equal(isLocalSendError(error, 'NOT_FOUND'), false)
  for (const other of [new Error('x'), { code: 'NO_FILE', name: 'LocalSendError' }, 'NO_FILE', null, undefined]) t.equal(isLocalSendError(other), false)
  t.end()
})
