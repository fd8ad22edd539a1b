/**
 * Uploads by PUT, all at once, in a process of its own, so that who measures latencies is not busy with it. Reads its task as JSON from
 * TASK, writes the seconds from the first connection to the last answer.
 */

import { request } from 'node:http'

interface LoadTask {
  readonly targets: ReadonlyArray<{ readonly url: string, readonly token: string }>
  /** Bytes of each upload. */
  readonly size: number
}

const PIECE = Buffer.alloc(2 ** 18, 'local send ')
const { targets, size } = JSON.parse(process.env['TASK'] ?? '') as LoadTask

const begunAt = performance.now()
await Promise.all(targets.map(upload))
process.stdout.write(JSON.stringify({ seconds: (performance.now() - begunAt) / 1000 }))

async function upload ({ url, token }: LoadTask['targets'][number]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const outgoing = request(url, { method: 'PUT', agent: false, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream', 'content-length': size } })
    outgoing.on('error', reject)
    outgoing.on('response', (answer) => {
      answer.resume()
      if (answer.statusCode === 201) answer.on('end', resolve)
      else reject(new Error(`an upload was answered ${answer.statusCode}`))
    })
    let left = size
    const write = (): void => {
      while (left > 0) {
        const piece = PIECE.subarray(0, Math.min(left, PIECE.length))
        left -= piece.length
        if (!outgoing.write(piece)) {
          outgoing.once('drain', write)
          return
        }
      }
      outgoing.end()
    }
    write()
  })
}
