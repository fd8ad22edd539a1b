import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { randomBytes, toHex } from '../../lib/crypto/bytes.js'
import { joinerShare, passwordElement } from '../../lib/crypto/spake2.js'
import { call, createSession, download, form, joinSession, randomContent, sha256, type Answer, type CallOptions, type TestSession, type UploadedFile } from '../helpers/client.js'
import { beginUpload, PIECE, TUS } from '../helpers/tus.js'

const SIZE = 14 * 2 ** 20 + 12_345
const PIECE_SIZE = 4 * 2 ** 20
const SMALL = 300_000
const ATTEMPTS = 5
const DOWNLOADS = 3
/** What a proxy and a server answer while something is away, and to whoever comes too early. */
const PASSING = new Set([429, 502, 503, 504])

/** What the load did, and what it would have to find again afterwards. */
export interface Load {
  readonly counts: Record<'uploads' | 'pieces' | 'breaks' | 'downloads' | 'limited' | 'refused' | 'closed' | 'waits', number>
  /** Files that were acknowledged, in sessions that are open. */
  readonly kept: Array<{ readonly session: TestSession, readonly token: string, readonly id: string, readonly sha256: string }>
  readonly closed: TestSession[]
  /** What was wrong. */
  readonly wrong: string[]
}

/** Clients that upload, download, join and are refused, until they are told to stop. Each stops with what it began done. */
export class MixedLoad implements Load {
  readonly #origin: string
  readonly counts = { uploads: 0, pieces: 0, breaks: 0, downloads: 0, limited: 0, refused: 0, closed: 0, waits: 0 }
  readonly kept: Load['kept'] = []
  readonly closed: TestSession[] = []
  readonly wrong: string[] = []
  #stopped = false

  constructor (origin: string) {
    this.#origin = origin
  }

  /** @returns resolves when all clients have stopped */
  async run (clients: number): Promise<void> {
    const works = [() => this.#resumable(), () => this.#whole(), () => this.#limited(), () => this.#stranger(), () => this.#resumable(), () => this.#resumable()]
    await Promise.all(Array.from({ length: clients }, async (_, i) => {
      const work = works[i % works.length]
      while (!this.#stopped) {
        try {
          await work?.()
        } catch (error) {
          this.wrong.push(String(error instanceof Error ? error.stack : error))
          await delay(200)
        }
      }
    }))
  }

  stop (): void {
    this.#stopped = true
  }

  /** Asks until there is an answer that does not pass. */
  async insist <Value extends { readonly status: number }> (ask: () => Promise<Value>): Promise<Value> {
    for (;;) {
      const answer = await ask().catch(() => undefined)
      if (answer !== undefined && answer.status === 500) this.wrong.push('an answer was 500')
      if (answer !== undefined && !PASSING.has(answer.status)) return answer
      this.counts.waits += 1
      await delay(100)
    }
  }

  readonly #call = (url: string, options: CallOptions = {}): Promise<Answer> => this.insist(() => call(url, options))

  /** A session with somebody in it; one whose creation was lost with the answer is made again. */
  async #session (options: object = {}): Promise<{ session: TestSession, joiner: string }> {
    for (;;) {
      try {
        const session = await createSession(this.#origin, { max_joiners: 10, ...options })
        return { session, joiner: await joinSession(session) }
      } catch (error) {
        // Not for ever the same answer: the load's own mistake would show as a test that does not end.
        assert.doesNotMatch(String(error), /answered (?!429|502|503|504)/)
        this.counts.waits += 1
        await delay(200)
      }
    }
  }

  /** An upload in pieces, by way of whichever instance: no acknowledged byte is lost. Then both sides have the same bytes. */
  async #resumable (): Promise<void> {
    const { session, joiner } = await this.#session()
    const content = randomContent(SIZE)
    const { url, id } = await this.#begin(session)
    for (let offset = 0; offset < SIZE;) {
      const piece = new Blob([content.subarray(offset, offset + PIECE_SIZE)])
      const answer = await call(url, { method: 'PATCH', token: session.token, headers: { ...PIECE, 'upload-offset': String(offset) }, body: piece }).catch(() => undefined)
      if (answer?.status === 204) {
        offset = Number(answer.headers.get('upload-offset'))
        this.counts.pieces += 1
        continue
      }
      this.counts.breaks += 1
      if (answer !== undefined) assert.ok(PASSING.has(answer.status) || answer.status === 423 || answer.status === 409 || answer.status === 408, `a piece was answered ${answer.summary}`)
      const { status, headers } = await this.#call(url, { method: 'HEAD', token: session.token, headers: TUS })
      assert.equal(status, 200, `HEAD answered ${status}`)
      const stands = Number(headers.get('upload-offset'))
      assert.ok(stands >= offset, `${offset} bytes were acknowledged, and ${stands} are there`)
      offset = stands
    }
    this.counts.uploads += 1
    for (const token of [joiner, session.token]) await this.#same(session, token, id, sha256(content))
    await this.#keepOrClose(session, (token) => ({ session, token, id, sha256: sha256(content) }))
  }

  async #begin (session: TestSession): Promise<{ url: string, id: string }> {
    for (;;) {
      const { url, id, answer } = await beginUpload(session, session.token, { 'upload-length': String(SIZE) }).catch(() => ({ url: '', id: '', answer: undefined }))
      if (answer?.status === 201) return { url, id }
      if (answer !== undefined) assert.ok(PASSING.has(answer.status), `an upload's beginning was answered ${answer.summary}`)
      await delay(100)
    }
  }

  /** A multipart upload: it is there as a whole, or not. */
  async #whole (): Promise<void> {
    const { session, joiner } = await this.#session()
    const content = randomContent(SMALL)
    const { status, summary, body } = await this.#call(`${session.url}/upload`, { method: 'POST', token: joiner, body: form({ content }) })
    assert.equal(status, 201, summary)
    this.counts.uploads += 1
    const list = (await this.#call(`${session.url}/files`, { token: session.token })).body['files'] as UploadedFile[]
    for (const file of list) assert.deepEqual([file.size, file.sha256], [SMALL, sha256(content)])
    const [{ file_id: id } = { file_id: '' }] = body['files'] as UploadedFile[]
    await this.#same(session, session.token, id, sha256(content))
    await this.#keepOrClose(session, (token) => ({ session, token, id, sha256: sha256(content) }))
  }

  /** Everybody at once at a file that may be downloaded three times. */
  async #limited (): Promise<void> {
    const { session } = await this.#session({ max_downloads: DOWNLOADS })
    const content = randomContent(SMALL)
    const { status, summary, body } = await this.#call(`${session.url}/upload`, { method: 'POST', token: session.token, body: form({ content }) })
    assert.equal(status, 201, summary)
    const [{ file_id: id } = { file_id: '' }] = body['files'] as UploadedFile[]
    const answers = await Promise.all(Array.from({ length: 12 }, () => this.insist(() => download(`${session.url}/download/${id}`, session.token))))
    const whole = answers.filter(({ status, bytes }) => status === 200 && bytes.length === SMALL)
    assert.ok(whole.length <= DOWNLOADS, `${whole.length} downloads of a file that has ${DOWNLOADS}`)
    for (const { bytes } of whole) assert.equal(sha256(bytes), sha256(content))
    for (const { status } of answers) assert.ok(status === 200 || status === 410, `a download was answered ${status}`)
    this.counts.limited += whole.length
    await this.#close(session)
  }

  /** Somebody who knows the code and not the password, and somebody who knows nothing. */
  async #stranger (): Promise<void> {
    const { session } = await this.#session({ max_joiners: 2 })
    const stranger = toHex(randomBytes(32))
    for (const path of ['status', 'files', 'events']) assert.equal((await this.#call(`${session.url}/${path}`, { token: stranger })).status, 401, path)
    const { share } = joinerShare(passwordElement(randomBytes(32)))
    const attempts = await Promise.all(Array.from({ length: 12 }, () => call(`${session.url}/join`, { method: 'POST', body: { verification_code: session.code, public_key: toHex(share) } }).catch(() => undefined)))
    const begun = attempts.filter((answer) => answer?.status === 202)
    assert.ok(begun.length <= ATTEMPTS, `${begun.length} attempts at once`)
    for (const answer of begun) {
      const { status, summary } = await this.#call(`${session.url}/joins/${String(answer?.body['join_id'])}/confirm`, { method: 'POST', token: String(answer?.body['token']), body: { confirmation: toHex(randomBytes(32)) } })
      // 409: an answer that was lost had told the same.
      assert.ok(status === 401 || status === 409 || status === 404, `a wrong confirmation was answered ${summary}`)
      this.counts.refused += 1
    }
    await this.#close(session)
  }

  /** Whether everybody gets what was sent, from the first byte to the last. */
  async #same (session: TestSession, token: string, id: string, digest: string): Promise<void> {
    const { status, bytes } = await this.insist(() => download(`${session.url}/download/${id}`, token))
    assert.equal(status, 200)
    assert.equal(sha256(bytes), digest, 'a download is not what was sent')
    this.counts.downloads += 1
  }

  /** Every second session is left open, to be looked at afterwards. */
  async #keepOrClose (session: TestSession, file: (token: string) => Load['kept'][number]): Promise<void> {
    if ((this.kept.length + this.counts.closed) % 2 === 0) this.kept.push(file(session.token))
    else await this.#close(session)
  }

  async #close (session: TestSession): Promise<void> {
    const { status, summary } = await this.#call(`${session.url}/close`, { method: 'POST', token: session.token })
    // 401: the answer that it was closed had been lost.
    assert.ok(status === 200 || status === 401 || status === 404, `close was answered ${summary}`)
    this.closed.push(session)
    this.counts.closed += 1
  }
}
