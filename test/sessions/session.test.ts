import t from 'tap'
import { randomBytes } from '../../lib/crypto/bytes.js'
import type { JoinId } from '../../lib/ids.js'
import { newJoinId } from '../../lib/new-ids.js'
import { addFiles, findEntry, giveBackDownloads, removeFile, reserveDownloads } from '../../lib/sessions/session-files.js'
import * as attempts from '../../lib/sessions/join-attempts.js'
import type { AttemptOutcome, AttemptRequest } from '../../lib/sessions/join-attempts.js'
import * as session from '../../lib/sessions/session.js'
import { ATTEMPT_LIFETIME, DECISION_LIFETIME, secretsOf, type Changed, type Confirmations, type SessionRecord } from '../../lib/sessions/session.js'
import { DAY, HOUR, newFile, newJoiner, newRecord, NOW, seededRandom } from './records.js'

const request = (changes: Partial<AttemptRequest> = {}): AttemptRequest =>
  ({ id: newJoinId(), codeMatches: true, tokenHash: 'cd'.repeat(32), takesShare: false, now: NOW, ...changes })

const confirmations = (): Confirmations => ({ expected: randomBytes(32), own: randomBytes(32) })

/** Applies requests one after the other. */
function reserve (record: SessionRecord, ...requests: AttemptRequest[]): { record: SessionRecord, outcomes: AttemptOutcome[] } {
  const outcomes: AttemptOutcome[] = []
  for (const next of requests) {
    const changed = attempts.reserveAttempt(record, next)
    record = changed.record
    outcomes.push(changed.outcome)
  }
  return { record, outcomes }
}

/** A record with one answered attempt, reserved at {@link NOW}. */
function answered (changes: Parameters<typeof newRecord>[0] = {}): { record: SessionRecord, id: JoinId, both: Confirmations } {
  const attempt = request()
  const both = confirmations()
  const { record } = attempts.answerAttempt(reserve(newRecord(changes), attempt).record, attempt.id, both)
  return { record, id: attempt.id, both }
}

const counted = ({ wrongCodes, wrongPasswords, pending }: SessionRecord): object => ({ wrongCodes, wrongPasswords, pending: pending.length })

t.test('a session ends a while after its last use, and at its end in any case', (t) => {
  const cases: Array<[name: string, changes: Partial<SessionRecord>, end: number]> = [
    ['unused', {}, NOW + HOUR],
    ['used', { lastUsedAt: NOW + 5 * HOUR }, NOW + 6 * HOUR],
    ['used in its last hour', { lastUsedAt: NOW + 23.5 * HOUR }, NOW + DAY],
    ['both at once', { lastUsedAt: NOW + 23 * HOUR }, NOW + DAY],
    ['shorter than its timeout', { endsAt: NOW + 1 }, NOW + 1],
    ['used after its end', { lastUsedAt: NOW + 2 * DAY }, NOW + DAY]
  ]
  for (const [name, changes, end] of cases) {
    const record = newRecord(changes)
    t.equal(session.expiresAt(record), end, name)
    t.equal(session.isExpired(record, end - 1), false, `${name}: a millisecond before`)
    t.equal(session.isExpired(record, end), true, `${name}: then`)
  }
  t.end()
})

t.test('a file is found however often one looks, and in each state of a session by what that one has', (t) => {
  const [kept, removed] = [newFile(), newFile()]
  const { record } = addFiles(newRecord(), [kept, removed])
  const found = (record: SessionRecord): Array<string | undefined> => [kept, removed].map(({ id }) => findEntry(record, id)?.id)
  for (let i = 0; i < 50; i++) t.same(found(record), [kept.id, removed.id])
  const { record: later } = removeFile(record, removed.id)
  for (let i = 0; i < 50; i++) t.same(found(later), [kept.id, undefined])
  t.same(found(record), [kept.id, removed.id])
  t.end()
})

t.test('the status of a session', (t) => {
  t.equal(session.statusOf(newRecord()), 'created')
  t.equal(session.statusOf(newRecord({ joiners: [newJoiner()] })), 'joined')
  t.equal(session.statusOf(newRecord({ wrongCodes: 2, wrongPasswords: 2 })), 'created')
  t.equal(session.statusOf(newRecord({ wrongCodes: 2, wrongPasswords: 3 })), 'locked')
  t.equal(session.statusOf(newRecord({ wrongPasswords: 5, joiners: [newJoiner()] })), 'locked')
  t.equal(session.isLocked(newRecord({ wrongCodes: 4 })), false)
  t.equal(session.isLocked(newRecord({ wrongCodes: 6 })), true)
  t.end()
})

t.test('what a new attempt meets', (t) => {
  const pending = (count: number): SessionRecord => reserve(newRecord(), ...Array.from({ length: count }, () => request())).record
  const full = { joiners: [newJoiner()] }
  const cases: Array<[name: string, record: SessionRecord, right: string, wrong: string]> = [
    ['a new session', newRecord(), 'reserved', 'wrong-code'],
    ['four failures', newRecord({ wrongCodes: 4 }), 'reserved', 'wrong-code'],
    ['five wrong codes', newRecord({ wrongCodes: 5 }), 'locked', 'locked'],
    ['five wrong passwords', newRecord({ wrongPasswords: 5 }), 'locked', 'locked'],
    ['more failures than the limit', newRecord({ wrongPasswords: 7 }), 'locked', 'locked'],
    ['four pending', pending(4), 'reserved', 'wrong-code'],
    ['five pending', pending(5), 'busy', 'busy'],
    ['three pending, two failures', { ...pending(3), wrongCodes: 1, wrongPasswords: 1 }, 'busy', 'busy'],
    ['full', newRecord(full), 'full', 'wrong-code'],
    ['full and locked', newRecord({ ...full, wrongCodes: 5 }), 'locked', 'locked'],
    ['room for a second joiner', newRecord({ ...full, limits: { maxJoiners: 2 } }), 'reserved', 'wrong-code']
  ]
  for (const [name, before, right, wrong] of cases) {
    const byRight = attempts.reserveAttempt(before, request())
    t.equal(byRight.outcome.result, right, `${name}, right code`)
    t.equal(byRight.record.pending.length, before.pending.length + (right === 'reserved' ? 1 : 0), `${name}, right code: pending`)
    t.equal(byRight.record.wrongCodes, before.wrongCodes, `${name}, right code: no failure`)
    const byWrong = attempts.reserveAttempt(before, request({ codeMatches: false }))
    t.equal(byWrong.outcome.result, wrong, `${name}, wrong code`)
    t.same(counted(byWrong.record), { ...counted(before), wrongCodes: before.wrongCodes + (wrong === 'wrong-code' ? 1 : 0) }, `${name}, wrong code: counts`)
  }
  t.end()
})

t.test('a reserved attempt keeps what it was asked with', (t) => {
  const { id, tokenHash } = request()
  t.same(attempts.reserveAttempt(newRecord(), request({ id, tokenHash, now: NOW + 7 })).record.pending,
    [{ id, state: 'reserved', startedAt: NOW + 7, tokenHash }])
  t.end()
})

t.test('the announced share goes to the first attempt with a share, and to no other', (t) => {
  const before = newRecord()
  const { record, outcomes } = reserve(before, request({ codeMatches: false, takesShare: true }), request(), request({ takesShare: true }), request({ takesShare: true }))
  const shares = outcomes.map((outcome) => outcome.result === 'reserved' ? outcome.firstShare : outcome.result)
  t.same(shares, ['wrong-code', null, secretsOf(before).firstShare, null])
  t.equal(secretsOf(record).firstShare, null)
  t.same(secretsOf(record).contentKey, secretsOf(before).contentKey)
  const { record: after } = attempts.giveBackAttempt(record, record.pending[1]?.id ?? newJoinId())
  t.equal(secretsOf(after).firstShare, null, 'an attempt that is given back does not give the share back: its scalar has been used')
  t.end()
})

t.test('an answered attempt is given back after a minute; one that is being decided after another, when who decided it must have died', (t) => {
  const { record, id } = answered({ limits: { maxJoinAttempts: 1 } })
  const late = (ms: number): AttemptRequest => request({ now: NOW + ms })
  t.equal(attempts.reserveAttempt(record, late(ATTEMPT_LIFETIME - 1)).outcome.result, 'busy')
  const given = attempts.reserveAttempt(record, late(ATTEMPT_LIFETIME))
  t.equal(given.outcome.result, 'reserved')
  t.equal(given.record.pending.length, 1)
  t.same(counted(given.record), { wrongCodes: 0, wrongPasswords: 0, pending: 1 })

  const confirming = attempts.takeConfirmation(record, id, NOW + ATTEMPT_LIFETIME - 1).record
  t.equal(attempts.reserveAttempt(confirming, late(DECISION_LIFETIME - 1)).outcome.result, 'busy', 'its confirmation came in time')
  t.equal(attempts.reserveAttempt(confirming, late(DECISION_LIFETIME)).outcome.result, 'reserved')

  const reserved = attempts.reserveAttempt(newRecord({ limits: { maxJoinAttempts: 1 } }), request()).record
  t.equal(attempts.reserveAttempt(reserved, late(DECISION_LIFETIME - 1)).outcome.result, 'busy', 'a password is a guess as soon as it has come')
  t.equal(attempts.reserveAttempt(reserved, late(DECISION_LIFETIME)).outcome.result, 'reserved', 'and nobody was told whether it was right')
  t.end()
})

t.test('an attempt that was given back before it was answered is not answered', (t) => {
  const attempt = request()
  const reserved = reserve(newRecord(), attempt).record
  const { record } = attempts.giveBackAttempt(reserved, attempt.id)
  const late = attempts.answerAttempt(record, attempt.id, confirmations())
  t.equal(late.outcome, false)
  t.equal(late.record, record)
  const first = attempts.answerAttempt(reserved, attempt.id, confirmations())
  t.equal(first.outcome, true)
  t.equal(attempts.answerAttempt(first.record, attempt.id, confirmations()).outcome, false, 'nor is one answered twice')
  t.end()
})

t.test('one confirmation ends an attempt', (t) => {
  const { record, id, both } = answered()
  const taken = attempts.takeConfirmation(record, id, NOW + ATTEMPT_LIFETIME - 1)
  t.equal(taken.outcome, both)
  t.equal(taken.record.pending[0]?.state, 'confirming')
  t.notOk('confirmations' in (taken.record.pending[0] ?? {}), 'they are not kept any longer')
  t.equal(attempts.takeConfirmation(taken.record, id, NOW).outcome, undefined, 'a second one')
  t.equal(attempts.takeConfirmation(record, newJoinId(), NOW).outcome, undefined, 'of an unknown attempt')
  const tooLate = attempts.takeConfirmation(record, id, NOW + ATTEMPT_LIFETIME)
  t.same([tooLate.outcome, tooLate.record.pending], [undefined, []], 'after a minute')
  const reserved = request()
  t.equal(attempts.takeConfirmation(reserve(newRecord(), reserved).record, reserved.id, NOW).outcome, undefined, 'before the answer')
  t.end()
})

t.test('how attempts end, and what each end counts', (t) => {
  const { record, id } = answered()
  const other = reserve(record, request()).record
  t.same(counted(attempts.failAttempt(other, id).record), { wrongCodes: 0, wrongPasswords: 1, pending: 1 })
  t.same(counted(attempts.giveBackAttempt(other, id).record), { wrongCodes: 0, wrongPasswords: 0, pending: 1 })
  t.same(counted(attempts.giveBackAttempt(other, newJoinId()).record), { wrongCodes: 0, wrongPasswords: 0, pending: 2 })
  t.match(attempts.failAttempt(newRecord(), id), { record: { wrongPasswords: 0 }, outcome: false }, 'one that was given back has no outcome any more')
  t.end()
})

t.test('a joiner is admitted once, while there is a place', (t) => {
  const { record, id } = answered()
  const admitted = attempts.admitJoiner(record, id, NOW + 5)
  t.equal(admitted.outcome, 'joined')
  t.same(admitted.record.joiners, [{ id, tokenHash: 'cd'.repeat(32), joinedAt: NOW + 5 }])
  t.same(admitted.record.pending, [])
  t.equal(attempts.admitJoiner(admitted.record, id, NOW).outcome, 'gone')
  t.equal(attempts.admitJoiner(newRecord(), id, NOW).outcome, 'gone')

  const full = attempts.admitJoiner({ ...record, joiners: [newJoiner()] }, id, NOW)
  t.equal(full.outcome, 'full')
  t.same(counted(full.record), { wrongCodes: 0, wrongPasswords: 0, pending: 0 }, 'no failure, and the attempt is over')
  t.equal(full.record.joiners.length, 1)
  t.end()
})

t.test('unlock forgives wrong codes, and failures behind a right code never', (t) => {
  const cases: Array<[wrongCodes: number, wrongPasswords: number, outcome: string]> = [
    [5, 0, 'unlocked'], [0, 0, 'unlocked'], [1, 4, 'unlocked'], [0, 5, 'locked'], [3, 5, 'locked'], [0, 6, 'locked']
  ]
  for (const [wrongCodes, wrongPasswords, outcome] of cases) {
    const before = newRecord({ wrongCodes, wrongPasswords })
    const changed = attempts.unlock(before, '654321')
    const name = `${wrongCodes} wrong codes, ${wrongPasswords} wrong passwords`
    t.equal(changed.outcome, outcome, name)
    t.equal(changed.record.wrongPasswords, wrongPasswords, name)
    t.equal(changed.record.wrongCodes, outcome === 'unlocked' ? 0 : wrongCodes, name)
    t.equal(changed.record.verificationCode, outcome === 'unlocked' ? '654321' : '123456', name)
    t.equal(session.isLocked(changed.record), outcome === 'locked', name)
  }
  t.end()
})

t.test('who leaves takes nothing with him but his place', (t) => {
  const [first, second] = [newJoiner(), newJoiner()]
  const record = newRecord({ joiners: [first, second], files: [{ ...newFile(), uploaderId: first.id }] })
  t.same(attempts.leave(record, first.id).record, { ...record, joiners: [second] })
  t.same(attempts.leave(record, 'creator').record, { ...record, creatorTokenHash: null })
  t.same(attempts.leave(record, newJoinId()).record, record)
  t.end()
})

t.test('files are added all or none', (t) => {
  const record = newRecord({ files: [newFile(1000)], filesAdded: 4 })
  const cases: Array<[sizes: number[], outcome: string]> = [
    [[], 'added'], [[1000, 1000], 'added'], [[2000], 'added'], [[2001], 'too-large'], [[1000, 1001], 'too-large'], [[0, 0], 'added'], [[0, 0, 0], 'too-many'], [[5000, 0, 0], 'too-many']
  ]
  for (const [sizes, outcome] of cases) {
    const files = sizes.map((size) => newFile(size))
    const changed = addFiles(record, files)
    t.equal(changed.outcome, outcome, sizes.join())
    t.same(changed.record.files, outcome === 'added' ? [...record.files, ...files.map((file, i) => ({ ...file, number: 5 + i }))] : record.files, sizes.join())
    t.equal(changed.record.filesAdded, outcome === 'added' ? 4 + files.length : 4, sizes.join())
  }
  t.end()
})

t.test('a file is removed once', (t) => {
  const [first, second] = [newFile(), newFile()]
  const once = removeFile(newRecord({ files: [first, second] }), first.id)
  t.equal(once.outcome, first)
  t.same(once.record.files, [second])
  const twice = removeFile(once.record, first.id)
  t.equal(twice.outcome, undefined)
  t.same(twice.record.files, [second])
  t.end()
})

t.test('downloads are reserved up to their limit, and given back', (t) => {
  const [file, other] = [newFile(), newFile()]
  let record = newRecord({ files: [file, other], limits: { maxDownloads: 2 } })
  const reserveOne = (): string => {
    const changed = reserveDownloads(record, new Set([file.id]))
    record = changed.record
    return changed.outcome
  }
  t.same([reserveOne(), reserveOne(), reserveOne()], ['reserved', 'reserved', 'used-up'])
  t.same(record.files.map(({ downloads }) => downloads), [2, 0])
  record = giveBackDownloads(record, new Set([file.id])).record
  t.same([reserveOne(), reserveOne()], ['reserved', 'used-up'])
  t.equal(reserveDownloads(record, new Set([newFile().id])).outcome, 'not-found')
  t.equal(reserveDownloads(record, new Set([file.id, other.id])).record, record, 'all or none')
  t.equal(reserveDownloads(record, new Set([other.id])).outcome, 'reserved', 'each file has its own count')
  t.equal(reserveDownloads(newRecord({ files: [{ ...file, downloads: 10_000 }] }), new Set([file.id])).outcome, 'reserved', 'no limit')
  t.same(giveBackDownloads({ ...record, files: [other] }, new Set([file.id])).record.files, [other], 'of a file that is gone')
  t.end()
})

t.test('no change alters the record it was given', (t) => {
  const freeze = <T extends object>(value: T): T => {
    for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null && !ArrayBuffer.isView(inner)) freeze(inner as object)
    return Object.freeze(value)
  }
  const { record, id } = answered({ files: [newFile()], joiners: [newJoiner()], limits: { maxJoiners: 3, maxDownloads: 1 } })
  freeze(record)
  const file = record.files[0]?.id ?? newFile().id
  const changes: Array<(record: SessionRecord) => Changed<unknown>> = [
    (r) => attempts.reserveAttempt(r, request({ takesShare: true })), (r) => attempts.reserveAttempt(r, request({ codeMatches: false, now: NOW + DAY })),
    (r) => attempts.giveBackAttempt(r, id), (r) => attempts.failAttempt(r, id), (r) => attempts.answerAttempt(r, id, confirmations()),
    (r) => attempts.takeConfirmation(r, id, NOW), (r) => attempts.admitJoiner(r, id, NOW), (r) => attempts.unlock(r, '1'), (r) => attempts.leave(r, 'creator'),
    (r) => addFiles(r, [newFile()]), (r) => removeFile(r, file), (r) => reserveDownloads(r, new Set([file])), (r) => giveBackDownloads(r, new Set([file]))
  ]
  for (const change of changes) t.doesNotThrow(() => change(record), change.toString())
  t.end()
})

/** Attempts as `Joins` runs them, one step at a time, in whatever order a test chooses. */
class Joiners {
  record: SessionRecord
  now = NOW
  guesses = 0
  sharesGiven = 0
  readonly #steps: Array<() => void> = []
  readonly #chance: (of: number) => number

  constructor (record: SessionRecord, chance: (of: number) => number) {
    this.record = record
    this.#chance = chance
  }

  #apply <Outcome> ({ record, outcome }: Changed<Outcome>): Outcome {
    this.record = record
    return outcome
  }

  begin (): void {
    const attempt = request({ now: this.now, codeMatches: this.#chance(4) > 0, takesShare: this.#chance(2) > 0 })
    const outcome = this.#apply(attempts.reserveAttempt(this.record, attempt))
    if (outcome.result !== 'reserved') return
    if (outcome.firstShare !== null) this.sharesGiven += 1
    const { id } = attempt
    const fail = (): void => { this.#apply(attempts.failAttempt(this.record, id)) }
    const admit = (): void => { this.#apply(attempts.admitJoiner(this.record, id, this.now)) }
    const giveBack = (): void => { this.#apply(attempts.giveBackAttempt(this.record, id)) }
    const guess = (end: () => void) => (): void => {
      this.guesses += 1
      end()
    }
    const confirm = (): void => {
      if (this.#apply(attempts.takeConfirmation(this.record, id, this.now)) !== undefined) this.#steps.push(guess(this.#chance(3) > 0 ? fail : admit))
    }
    const answer = (): void => {
      if (!this.#apply(attempts.answerAttempt(this.record, id, confirmations()))) giveBack()
      else if (this.#chance(4) > 0) this.#steps.push(confirm, confirm)
    }
    const ways = attempt.takesShare ? [answer, answer, guess(fail), giveBack] : [guess(fail), guess(fail), guess(admit), giveBack]
    this.#steps.push(ways[this.#chance(4)] ?? giveBack)
  }

  /** Takes one step of one attempt under way, whichever. */
  step (): void {
    const [step] = this.#steps.splice(this.#chance(Math.max(1, this.#steps.length)), 1)
    step?.()
  }
}

/** What must hold after every step, as sentences about what does not. */
function broken ({ record, guesses, sharesGiven }: Joiners): string[] {
  const { wrongCodes, wrongPasswords, pending, joiners, limits } = record
  return [
    wrongCodes + wrongPasswords + pending.length > limits.maxJoinAttempts && `${wrongCodes} + ${wrongPasswords} failures and ${pending.length} pending of ${limits.maxJoinAttempts}`,
    joiners.length > limits.maxJoiners && `${joiners.length} joiners of ${limits.maxJoiners}`,
    sharesGiven > 1 && `one share for ${sharesGiven} attempts`,
    guesses > limits.maxJoinAttempts + limits.maxJoiners && `${guesses} guesses`
  ].filter((fault) => fault !== false)
}

t.test('failures and pending attempts together never exceed the limit, in any interleaving', (t) => {
  let locked = 0
  let joined = 0
  const faults: string[] = []
  for (let seed = 1; seed <= 400; seed++) {
    const random = seededRandom(seed)
    const chance = (of: number): number => Math.floor(random() * of)
    const joiners = new Joiners(newRecord({ limits: { maxJoinAttempts: 1 + chance(5), maxJoiners: 1 + chance(2) } }), chance)
    for (let i = 0; i < 120; i++) {
      const what = chance(10)
      if (what < 4) joiners.begin()
      else if (what < 9) joiners.step()
      else joiners.now += chance(2 * ATTEMPT_LIFETIME)
      faults.push(...broken(joiners).map((fault) => `seed ${seed}, step ${i}: ${fault}`))
    }
    if (session.isLocked(joiners.record)) locked += 1
    joined += joiners.record.joiners.length
  }
  t.same(faults.slice(0, 3), [])
  t.ok(locked > 50 && joined > 50, `the interleavings reach both ends: ${locked} locked, ${joined} joined`)
  t.end()
})
