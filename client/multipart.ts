/**
 * A multipart/form-data body (RFC 7578, https://www.rfc-editor.org/rfc/rfc7578) put together in memory: with FormData, the bytes
 * of a body cannot be sent again as they were, and five hundred Blobs take longer than the rest.
 */

import { concat, randomBytes, toHex, utf8, type Bytes } from '../lib/crypto/bytes.js'

const BOUNDARY_SIZE = 16

/** The parts of a body in their order. */
export class MultipartBody {
  readonly #boundary = `local-send-${toHex(randomBytes(BOUNDARY_SIZE))}`
  readonly #parts: Uint8Array[] = []

  /** The Content-Type that goes with it. */
  get type (): string {
    return `multipart/form-data; boundary=${this.#boundary}`
  }

  /** Adds a field; `name` and `value` are ours and need no escaping. */
  field (name: string, value: string): void {
    this.#parts.push(utf8(`--${this.#boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`))
  }

  /** Adds the part `file`. */
  file (filename: string, type: string, content: Uint8Array): void {
    const disposition = `form-data; name="file"; filename="${escape(filename)}"`
    const mediaType = /^[\w!#$&^.+/;= -]+$/.test(type) ? type : 'application/octet-stream'
    this.#parts.push(utf8(`--${this.#boundary}\r\ncontent-disposition: ${disposition}\r\ncontent-type: ${mediaType}\r\n\r\n`), content, CRLF)
  }

  /** The whole body. */
  bytes (): Bytes {
    return concat(...this.#parts, utf8(`--${this.#boundary}--\r\n`))
  }
}

const CRLF = utf8('\r\n')

/** As browsers do (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data). */
const escape = (filename: string): string => filename.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
